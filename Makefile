# The clinic portal in two commands: `make run` and `make test`. `make help` lists the others.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
TEST_DATABASE_URL ?= mysql://root@127.0.0.1:3306/test

venv := .venv
python := $(venv)/bin/python
comma := ,
hosts := $(if $(filter 0.0.0.0 ::,$(HOST)),*,127.0.0.1$(comma)localhost$(comma)$(HOST))
# The checks run with production settings, and a new key each time.
production = ENV_FILE=/dev/null DEBUG=off SECRET_KEY=$$($(python) -c 'import secrets; print(secrets.token_urlsafe(64))')

pytest = $(python) -m pytest -n auto --dist worksteal
# $(call on_server,MARKS): run the tests with these marks on MariaDB/MySQL, or print why that is impossible.
define on_server
@if reason=$$(DATABASE_URL=$(TEST_DATABASE_URL) $(python) -m clinic.tests.database_answers); then \
	echo "Now on MariaDB/MySQL: $(1)"; \
	DATABASE_URL=$(TEST_DATABASE_URL) $(pytest) -m "$(1)" $(PYTEST) || $(none_is_fine); \
elif [ -n "$(REQUIRE_MYSQL)" ]; then \
	echo "FAILED: the tests on MariaDB/MySQL cannot run: $$reason"; exit 1; \
else \
	echo "SKIPPED: the tests on MariaDB/MySQL: $$reason"; \
fi
endef
# With PYTEST="-k booking" or the like, a run may select no tests (exit code 5); otherwise that is a failure.
none_is_fine = { code=$$?; [ $$code = 5 ] && [ -n "$(PYTEST)" ]; } || exit 1
# Write bytecode even if the environment forbids it: otherwise each test process compiles Django and the tests again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-all test-more test-server properties fuzz faults check mysql redis browser static serve requirements outdated clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(python):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 …"; exit 1; }
	@$(PYTHON) -m venv $(venv) || { echo "Could not create $(venv). On Debian: apt-get install python3-venv"; exit 1; }

$(venv)/base: requirements/base.txt | $(python)
	$(python) -m pip install --quiet --disable-pip-version-check -r requirements/base.txt
	@touch $@

$(venv)/dev: requirements/dev.txt | $(python)
	$(python) -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@

$(venv)/browser: requirements/browser.txt | $(python)
	$(python) -m pip install --quiet --disable-pip-version-check -r requirements/browser.txt
	@touch $@

run: $(venv)/base ## serve the portal with demo data on http://127.0.0.1:8000 (HOST=, PORT=)
	@$(python) -m clinic.ops.first_run "$(HOST)" "$(PORT)"
	@DEBUG=on $(python) manage.py migrate --verbosity 0
	@DEBUG=on $(python) manage.py load_demo --if-empty
	@echo "Demo users: reception, manager, doctor, admin. Password: demo-clinic-2026"
	DEBUG=on ALLOWED_HOSTS="$(hosts)" $(python) manage.py runserver $(HOST):$(PORT)

test: $(venv)/dev ## run all tests on SQLite, and those marked both_databases on MariaDB/MySQL if one is running
	DATABASE_URL=sqlite://:memory: $(pytest) $(if $(COVERAGE),--cov) -m "not stress and not large$(if $(COVERAGE), and not hypothesis)" $(PYTEST) || $(none_is_fine)
	$(call on_server,both_databases and not stress and not large)
	$(if $(COVERAGE),,@echo "Passed. make test-all adds stress tests, ten times the examples, coverage, Chromium and fuzzing.")

# Coverage doubles the time, so the property tests are left to test-more, which runs them in any case.
test-all: ## run test with coverage, then test-more
	@$(MAKE) test COVERAGE=on
	@$(MAKE) test-more

test-more: $(venv)/dev ## run what test leaves out: stress, a large clinic, long property tests, Chromium, fuzzing
	DATABASE_URL=sqlite://:memory: $(pytest) -m "stress or large" $(PYTEST) || $(none_is_fine)
	$(call on_server,stress or large)
	@if reason=$$($(python) -m clinic.tests.browser_answers); then \
		echo "Now the browser tests"; \
		DATABASE_URL=sqlite://:memory: $(python) -m pytest clinic/tests/browser -n 2 --screenshot only-on-failure || exit 1; \
	elif [ -n "$(REQUIRE_BROWSER)" ]; then \
		echo "FAILED: the browser tests cannot run: $$reason"; exit 1; \
	else \
		echo "SKIPPED: the browser tests: $$reason"; \
	fi
	@$(MAKE) -j2 properties fuzz

properties: $(venv)/dev ## run the property tests with ten times the examples
	DATABASE_URL=sqlite://:memory: $(pytest) --hypothesis-profile thorough -m hypothesis $(PYTEST) || $(none_is_fine)

test-server: $(venv)/dev ## run on MariaDB/MySQL the tests that test runs on SQLite only
	$(call on_server,not both_databases and not stress)

fuzz: $(venv)/dev ## test the API against its OpenAPI description, 200 requests for each operation (EXAMPLES=)
	$(python) -m clinic.tests.fuzz_api $(EXAMPLES)

faults: $(venv)/dev mysql ## break what surrounds the portal while desks book, about 10 minutes (FAULTS="--only frozen")
	$(python) -m benchmarks.faults $(FAULTS)

check: $(venv)/dev ## check lint, format, security, types, import direction, migrations, templates, scripts
	$(venv)/bin/ruff check .
	$(venv)/bin/ruff format --check .
	$(venv)/bin/bandit --quiet --configfile pyproject.toml --recursive clinic patients doctors appointments manage.py
	$(venv)/bin/mypy .
	PYTHONPATH=. $(venv)/bin/lint-imports --no-cache
	$(production) DATABASE_URL=sqlite://:memory: $(python) manage.py makemigrations --check --dry-run
	$(production) DATABASE_URL=sqlite://:memory: $(python) manage.py check --deploy --fail-level WARNING
	$(venv)/bin/djlint templates --check --quiet
	$(venv)/bin/djlint templates --lint --quiet
	$(venv)/bin/djlint templates --extension jinja --profile jinja --lint --quiet
	$(venv)/bin/oxlint --deny-warnings static/js

mysql: $(venv)/base ## install the driver for MariaDB and MySQL
	@$(python) -m pip install --quiet --disable-pip-version-check -r requirements/mysql.txt || { \
		echo "The driver is compiled and needs headers. On Debian: apt-get install libmariadb-dev pkg-config gcc python3-dev"; \
		exit 1; }
	@echo "mysqlclient is installed"

redis: $(venv)/base ## install the client for Redis, for a cache that all processes share
	$(python) -m pip install --quiet --disable-pip-version-check -r requirements/redis.txt

browser: $(venv)/dev $(venv)/browser ## install what the browser tests need besides Chromium itself
	@$(python) -m clinic.tests.browser_answers && echo "The browser tests can run"

static: $(venv)/base ## collect the static files that the portal serves, if they are missing or outdated
	@$(python) -m clinic.ops.serving

# The variables of the command line, such as PORT=, reach gunicorn.conf.py through the environment.
serve: static ## run gunicorn with production settings behind a TLS proxy (without a proxy: USE_HTTPS=off)
	$(python) manage.py check --deploy --database default
	@$(python) manage.py migrate --check || { echo "The database is not migrated: $(python) manage.py migrate"; exit 1; }
	$(venv)/bin/gunicorn clinic.wsgi

# Pins keep their extras: without them pip 23 refuses the hashes once a newer version exists. Constraints cannot have any.
requirements: $(python) ## update the pinned versions within the ranges in pyproject.toml
	$(python) -m pip install --quiet --disable-pip-version-check pip-tools
	cd requirements && trap 'rm -f versions.txt' EXIT && for pins in "base" "mysql --extra mysql" "redis --extra redis" "dev --extra dev" "browser --extra browser --constraint versions.txt"; do \
		set -- $$pins; name=$$1; shift; \
		if [ $$name = browser ]; then sed 's/\[[^]]*\]==/==/' dev.txt >versions.txt; fi; \
		../$(venv)/bin/pip-compile --quiet --upgrade --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
			--no-header --output-file $$name.txt "$$@" ../pyproject.toml || exit 1; \
	done

outdated: $(venv)/base ## report pins that are behind the newest patch of their series, and newer series
	@$(python) requirements/outdated.py

clean: ## remove generated files, but no data
	rm -rf $(venv) staticfiles .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache
