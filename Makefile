# The clinic portal in two commands: `make run` and `make test`. `make help` lists the others.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
WORKERS ?= 4
TEST_DATABASE_URL ?= mysql://root@127.0.0.1:3306/test

venv := .venv
python := $(venv)/bin/python
comma := ,
hosts := $(if $(filter 0.0.0.0 ::,$(HOST)),*,127.0.0.1$(comma)localhost$(comma)$(HOST))
# What the checks see is production; the key is for them only.
production := DEBUG=off SECRET_KEY=only-for-checks-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ

.DEFAULT_GOAL := help
.PHONY: help run test fuzz check mysql browser serve requirements outdated clean

help: ## list these commands
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(python):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 …"; exit 1; }
	@$(PYTHON) -m venv $(venv) || { echo "Could not make $(venv). On Debian: apt-get install python3-venv"; exit 1; }

$(venv)/base: requirements/base.txt | $(python)
	$(python) -m pip install --quiet --disable-pip-version-check -r requirements/base.txt
	@touch $@

$(venv)/dev: requirements/dev.txt | $(python)
	$(python) -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@

$(venv)/browser: requirements/browser.txt | $(python)
	$(python) -m pip install --quiet --disable-pip-version-check -r requirements/browser.txt
	@touch $@

run: $(venv)/base ## the portal with demo data on http://127.0.0.1:8000 (HOST=, PORT=)
	@DEBUG=on $(python) manage.py migrate --verbosity 0
	@DEBUG=on $(python) manage.py load_demo --if-empty
	@echo "Demo users: reception, manager, doctor, admin; the password of each: demo-clinic-2026"
	DEBUG=on ALLOWED_HOSTS="$(hosts)" $(python) manage.py runserver $(HOST):$(PORT)

test: $(venv)/dev ## the suite on SQLite; on MariaDB/MySQL if one answers at TEST_DATABASE_URL; in Chromium if it is there
	@rm -f .coverage .coverage.*
	DATABASE_URL=sqlite://:memory: $(python) -m pytest -n auto --cov --cov-report= $(PYTEST)
	@if reason=$$(DATABASE_URL=$(TEST_DATABASE_URL) $(python) -m clinic.tests.database_answers); then \
		echo "Now the same on MariaDB/MySQL"; \
		DATABASE_URL=$(TEST_DATABASE_URL) $(python) -m pytest -n auto --cov --cov-append --cov-report= $(PYTEST) || exit 1; \
	elif [ -n "$(REQUIRE_MYSQL)" ]; then \
		echo "FAILED: the MariaDB/MySQL half cannot run: $$reason"; exit 1; \
	else \
		echo "SKIPPED: the MariaDB/MySQL half of the tests: $$reason"; \
	fi
	@if reason=$$($(python) -m clinic.tests.browser_answers); then \
		echo "Now the browser tests"; \
		DATABASE_URL=sqlite://:memory: $(python) -m pytest clinic/tests/browser -n 2 --screenshot only-on-failure || exit 1; \
	elif [ -n "$(REQUIRE_BROWSER)" ]; then \
		echo "FAILED: the browser tests cannot run: $$reason"; exit 1; \
	else \
		echo "SKIPPED: the browser tests: $$reason"; \
	fi
	@$(python) -m coverage report

fuzz: $(venv)/dev ## the running API against its description, 200 examples a call (EXAMPLES=)
	$(python) -m clinic.tests.fuzz_api $(EXAMPLES)

check: $(venv)/dev ## lint, format, security, types, import direction, migrations, templates, scripts
	$(venv)/bin/ruff check .
	$(venv)/bin/ruff format --check .
	$(venv)/bin/bandit --quiet --configfile pyproject.toml --recursive clinic patients doctors appointments manage.py
	$(venv)/bin/mypy .
	PYTHONPATH=. $(venv)/bin/lint-imports --no-cache
	$(production) DATABASE_URL=sqlite://:memory: $(python) manage.py makemigrations --check --dry-run
	$(production) DATABASE_URL=sqlite://:memory: $(python) manage.py check --deploy --fail-level WARNING
	$(venv)/bin/djlint templates --check --quiet
	$(venv)/bin/djlint templates --lint --quiet
	$(venv)/bin/oxlint --deny-warnings static/js

mysql: $(venv)/dev ## the driver for MariaDB and MySQL
	@$(python) -m pip install --quiet --disable-pip-version-check -r requirements/mysql.txt || { \
		echo "The driver is built here and needs headers. On Debian: apt-get install libmariadb-dev pkg-config gcc python3-dev"; \
		exit 1; }
	@echo "mysqlclient is installed"

browser: $(venv)/dev $(venv)/browser ## what the browser tests need beside Chromium itself
	@$(python) -m clinic.tests.browser_answers && echo "The browser tests can run"

serve: $(venv)/base ## gunicorn with production settings, for a TLS proxy in front (without one: USE_HTTPS=off)
	$(python) manage.py check --deploy --database default
	@$(python) manage.py migrate --check || { echo "The database is not migrated: $(python) manage.py migrate"; exit 1; }
	$(python) manage.py collectstatic --noinput --verbosity 0
	$(venv)/bin/gunicorn clinic.wsgi --bind $(HOST):$(PORT) --workers $(WORKERS) --timeout 120 --no-control-socket --limit-request-line 8190 --limit-request-fields 60 --limit-request-field_size 8190 --forwarded-allow-ips=''

# Extras stay in the pins: without them pip 23 refuses the hashes once a newer version exists. Constraints may have none.
requirements: $(python) ## pin anew what pyproject.toml asks for
	$(python) -m pip install --quiet --disable-pip-version-check pip-tools
	cd requirements && trap 'rm -f versions.txt' EXIT && for pins in "base" "mysql --extra mysql" "dev --extra dev" "browser --extra browser --constraint versions.txt"; do \
		set -- $$pins; name=$$1; shift; \
		if [ $$name = browser ]; then sed 's/\[[^]]*\]==/==/' dev.txt >versions.txt; fi; \
		../$(venv)/bin/pip-compile --quiet --upgrade --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
			--no-header --output-file $$name.txt "$$@" ../pyproject.toml || exit 1; \
	done

outdated: $(venv)/base ## pins that are behind the newest patch of their series, and newer series; a report
	@$(python) requirements/outdated.py

clean: ## remove what can be made again, but no data
	rm -rf $(venv) staticfiles .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache
