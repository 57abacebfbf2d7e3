"""The statements of docs/security.md about tests and unused functions are true."""

import ast
import re
from pathlib import Path

from benchmarks.security.protections import named_tests, protections
from benchmarks.security.take_out_protections import faults_of_list

ROOT = Path(__file__).resolve().parents[2]
APPS = ("clinic", "patients", "doctors", "appointments")
NAMED = re.compile(r"([\w/]+\.py)::(\w+)")
# Functions that could run input, or send requests to other hosts.
MODULES = {
    *("subprocess", "pickle", "marshal", "shelve", "yaml"),
    *("requests", "httpx", "urllib.request", "http.client", "smtplib", "django.core.mail"),
}
CALLS = {"eval", "exec", "compile", "system", "popen", "mark_safe", "SafeString", "raw", "extra", "RawSQL"}
# `postMessage` communicates with other origins; a channel only with the portal's own pages.
IN_SCRIPTS = re.compile(
    r"\b(?:eval|Function|document\.write|insertAdjacentHTML|(?<!BroadcastChannel\(.session.\)\.)postMessage)\b"
    r"|\.(?:inner|outer)HTML\s*\+?=(?!=)|\.srcdoc\b"
)


def document():
    return (ROOT / "docs" / "security.md").read_text()


def functions_of(path):
    """Return the names of the test functions of a file; none if there is no such file."""
    if not path.exists():
        return set()
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


def code_of_the_portal():
    """Return each production module with its syntax tree."""
    files = [file for app in APPS for file in (ROOT / app).rglob("*.py")]
    return [(file, ast.parse(file.read_text())) for file in files if not {"tests", "migrations"} & set(file.parts)]


def test_every_named_test_exists():
    named = set(NAMED.findall(document()))

    missing = sorted(f"{path}::{name}" for path, name in named if name not in functions_of(ROOT / path))

    assert len(named) > 100
    assert missing == []


def test_no_requirement_is_open():
    assert re.findall(r".*TODO.*", document()) == []


def test_every_requirement_names_a_test_or_the_deployment():
    rows = [line for line in document().splitlines() if re.match(r"\| [\d(][^|]* \|", line)]

    assert len(rows) > 100
    assert [row for row in rows if "::test_" not in row and not row.endswith("| deployment |")] == []


def test_every_named_test_has_a_protection_to_take_out():
    rows = named_tests()

    assert len(rows) > 100
    assert list(faults_of_list(rows, protections())) == []


def test_every_internal_link_has_a_target():
    headings = re.findall(r"^#+ (.+)$", document(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", document())) <= anchors


def imported(node):
    """Return the modules that a statement imports, with the packages around them."""
    if isinstance(node, ast.Import):
        names = {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
        names = {f"{node.module}.{alias.name}" for alias in node.names}
    else:
        return set()
    return {name.rsplit(".", depth)[0] for name in names for depth in range(name.count(".") + 1)}


def called(node):
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


# A property whose name is data, such as `__proto__`, would change what all objects of a script inherit.
NAMED_BY_DATA = re.compile(r"""\w\[[^\]'"]+\]\s*=(?![=>])|__proto__|setPrototypeOf|JSON\.parse""")
# The only texts that scripts store: a setting, and the reason of a move (docs/security.md, Deviations).
STORED = [
    ("forms.js", "sessionStorage.setItem(field.dataset.savedAs"),
    ("shortcuts.js", 'localStorage.setItem("single-keys"'),
]
DRAWS_WITH_JINJA = {"clinic/html/drawing.py"}  # what its templates draw is the only HTML that is marked as safe


def test_portal_runs_no_commands_and_no_code_from_text():
    found = [
        str(file.relative_to(ROOT))
        for file, tree in code_of_the_portal()
        for node in ast.walk(tree)
        if imported(node) & MODULES or (called(node) in CALLS and not is_compiled_pattern(node))
    ]

    assert found == sorted(DRAWS_WITH_JINJA)


def is_compiled_pattern(call):
    return isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "re"


def scripts():
    return sorted((ROOT / "static" / "js").rglob("*.js"))


WITH_SQL = {
    "appointments/overlap_triggers.py",
    "clinic/checks.py",
    "clinic/db/compiled_query.py",
    "clinic/db/triggers.py",
    "clinic/management/commands/reset_database.py",
    "clinic/ops/request_cost.py",  # passes on what Django executes
}


def test_only_few_modules_contain_sql():
    found = {
        str(file.relative_to(ROOT))
        for file, tree in code_of_the_portal()
        for node in ast.walk(tree)
        if called(node) in {"execute", "executemany", "callproc"}
    }

    assert found == WITH_SQL


def test_no_pattern_is_built_from_text():
    found = [
        f"{file.relative_to(ROOT)}: {ast.unparse(node)}"
        for file, tree in code_of_the_portal()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.Lambda)
        for node in ast.walk(function)
        if is_pattern_of_a_value(node)
    ]

    assert found == []


def is_pattern_of_a_value(node):
    """Return whether code in a function makes a regular expression from anything but a literal."""
    if not isinstance(node, ast.Call):
        return False
    is_lookup = any((keyword.arg or "").endswith("regex") for keyword in node.keywords)
    return is_lookup or (is_compiled_pattern(node) and not isinstance(node.args[0], ast.Constant))


def test_scripts_neither_run_text_nor_write_html():
    found = {script.name: IN_SCRIPTS.findall(script.read_text()) for script in scripts()}

    assert found
    assert {name: matches for name, matches in found.items() if matches} == {}


def test_scripts_set_no_property_whose_name_is_data():
    found = {script.name: NAMED_BY_DATA.findall(script.read_text()) for script in scripts()}

    assert {name: matches for name, matches in found.items() if matches} == {}


def test_browser_stores_only_a_setting_and_the_reason_of_a_move():
    calls = re.compile(r"\w+\.setItem\([^,]*|indexedDB|caches\.open|document\.cookie|(?:local|session)Storage\[")
    fields = re.compile(r'data-saved-as="[^"]*"')
    pages = (ROOT / "templates").rglob("*.html")

    stored = [(script.name, call) for script in scripts() for call in calls.findall(script.read_text())]

    assert stored == STORED
    assert [field for page in pages for field in fields.findall(page.read_text())] == [
        'data-saved-as="move-{{ moving.pk }}"'
    ]
