"""What others document, and we promise to do as well."""
