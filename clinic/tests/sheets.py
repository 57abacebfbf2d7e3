"""Files to upload, and downloaded files."""

import csv
import io

from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook, load_workbook


def csv_file(text, encoding="utf-8", name="people.csv"):
    return SimpleUploadedFile(name, text.encode(encoding))


def csv_rows(*rows):
    """Return a CSV file of these rows, the first of them its header."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return csv_file(text.getvalue())


def xlsx_rows(*rows, name="people.xlsx"):
    workbook = Workbook()
    for row in rows:
        workbook.active.append(row)
    file = io.BytesIO()
    workbook.save(file)
    return SimpleUploadedFile(name, file.getvalue())


def body(response):
    return b"".join(response.streaming_content)


def read_csv(response):
    return list(csv.reader(io.StringIO(body(response).decode("utf-8-sig"), newline="")))


def read_xlsx(response):
    """Return the cells of a sent XLSX file."""
    return list(load_workbook(io.BytesIO(body(response))).active.iter_rows())
