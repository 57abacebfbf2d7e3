"""`python -m clinic.tests.database_answers`: exit 0 if DATABASE_URL can be tested on, else say why not and exit 1."""

import sys

import environ


def main():
    try:
        import MySQLdb
    except ImportError:
        return "the driver is not installed (make mysql)"
    database = environ.Env().db_url("DATABASE_URL")
    try:
        MySQLdb.connect(
            host=database["HOST"],
            port=int(database["PORT"] or 3306),
            user=database["USER"],
            password=database["PASSWORD"],
            connect_timeout=3,
        ).close()
    except MySQLdb.Error as error:
        return f"no server answers at {database['HOST']}:{database['PORT']} ({error.args[0]})"
    return None


if __name__ == "__main__":
    reason = main()
    if reason:
        print(reason)
    sys.exit(bool(reason))
