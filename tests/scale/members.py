"""Members by the thousand, as a CSV file for `rookery user import`."""

from pathlib import Path

DOMAIN = "example.com"
PASSWORD = "correct horse"
DEPARTMENTS = ("Sales", "Support", "Development", "")


def address(number: int, domain: str = DOMAIN) -> str:
    """Of one member."""
    return f"m{number:05}@{domain}"


def write_csv(file: Path, members: int, with_password: int, domain: str = DOMAIN) -> Path:
    """So many members; the first ones have a password, which takes time."""
    with file.open("w") as csv:
        csv.write("address,name,password,title,department\n")
        for number in range(members):
            password = PASSWORD if number < with_password else ""
            department = DEPARTMENTS[number % len(DEPARTMENTS)]
            csv.write(f"{address(number, domain)},Member {number},{password},Title {number % 50},{department}\n")
    return file
