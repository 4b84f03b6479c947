"""The CSV file: every faulty line is found, and told by its number."""

import pytest

from config import importing
from engine.xmpp.scram import check_password


@pytest.fixture
def read(tmp_path):
    def read(data):
        file = tmp_path / "users.csv"
        file.write_bytes(data if isinstance(data, bytes) else data.encode())
        return importing.read_file(file)

    return read


def test_rows_become_users(read):
    rows, faults = read('Phone, address ,name,password\n1,ann@x,"Arden, Ann",secret\n\n,ben@x,,\n')
    assert faults == []
    assert [(row.line, row.user.address, row.user.name, row.user.phone, row.password) for row in rows] == [
        (2, "ann@x", "Arden, Ann", "1", "secret"),
        (4, "ben@x", "", "", ""),
    ]


@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
def test_a_file_of_a_spreadsheet_is_read(read, newline):
    rows, faults = read(b"\xef\xbb\xbf" + newline.join(["address,name,password", "ann@x,\u00c4nn,p", ""]).encode())
    assert faults == []
    assert [(row.line, row.user.name) for row in rows] == [(2, "Änn")]


def test_each_faulty_line_is_told(read):
    rows, faults = read('address,name,password\na,b\nc,d,e,f\ng,h,\x00\ni,"j"k,l\nm,"n\no",p\nq,r,s\n')
    assert [(fault.line, fault.text) for fault in faults] == [
        (2, "2 fields, but 3 columns"),
        (3, "4 fields, but 3 columns"),
        (4, "g: the password has a character that SASLprep forbids"),
        (5, "is not CSV: ',' expected after '\"'"),
    ]
    assert [(row.line, row.user.address) for row in rows if row.user.address in "mq"] == [(6, "m"), (8, "q")]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("", ": is empty; the first line must name the columns: address,name,password"),
        ("\n\n", ": is empty; the first line must name the columns: address,name,password"),
        ("address,name\n", ":1: there is no column password"),
        ("ann@x,Ann,pw\n", ":1: there is no column address, name, password"),
        ("address;name;password\n", ":1: there is no column address, name, password; columns are separated by commas"),
        (
            "address,name,password,age\n",
            ":1: unknown column 'age'; known: address, name, password, title, department, phone",
        ),
        ("address,name,password,name\n", ":1: column name is there twice"),
        ('"address\n', ":1: is not CSV: unexpected end of data"),
        (b"address,name,password\na,b,c\nd,\xe4,f\n", ":3: is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(read, tmp_path, data, problem):
    with pytest.raises(importing.FileError) as caught:
        read(data)
    assert str(caught.value) == f"{tmp_path / 'users.csv'}{problem}"


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(importing.FileError, match="cannot be read: No such file"):
        importing.read_file(tmp_path / "users.csv")


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "FILE_BYTES", 10)
    (tmp_path / "users.csv").write_text("address,name,password\n")
    with pytest.raises(importing.FileError, match="import it in parts"):
        importing.read_file(tmp_path / "users.csv")


def test_passwords_become_verifiers_in_order(read):
    rows, _ = read("address,name,password\nann@x,,one\nben@x,,\ncyd@x,,three\n")
    ann, ben, cyd = importing.with_verifiers(rows)
    assert check_password(ann.verifiers["sha-256"], "one")
    assert ben.verifiers == {}
    assert check_password(cyd.verifiers["sha-1"], "three")
