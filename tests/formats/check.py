"""Validates what loadcall prints of a run in each format, with readers that had no part in writing it, and looks for
anything that is more than text.

Usage: check.py FOLDER…   Each folder has a file for each format (FORMATS); `json` is the truth about the run.
"""

import csv
import io
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ET

import cmarkgfm
import html5lib
import jsonschema
import junitparser
import xmlschema
from cmarkgfm.cmark import Options
from prometheus_client.openmetrics import parser as openmetrics

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
JUNIT = xmlschema.XMLSchema(str(ROOT / ".tools/formats/junit-10.xsd"))
# Where GitLab's annotations lead in the tests.
PAGE = "https://gitlab.example/job/1"

# What reverses, hides or obeys: controls but the line feed, direction marks, invisible characters, tags.
DECEPTIVE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\U000e0000-\U000e007f]"
)
# Obeyed by build machines anywhere in a line.
ANYWHERE = re.compile(r"##(\[|vso\[|teamcity\[)")


def is_command(line):
    """As GitHub's runner decides it (ActionCommand.TryParseV2)."""
    line = line.lstrip()
    return line.startswith("::") and "::" in line[2:]


def lines_are_inert(text, commands_are_ours=False):
    found = DECEPTIVE.search(text)
    assert not found, f"{found.group()!r} in {text[max(0, found.start() - 40):found.end() + 20]!r}"
    assert not ANYWHERE.search(text), ANYWHERE.search(text)
    for line in text.split("\n"):
        assert commands_are_ours or not is_command(line), f"a command: {line[:100]!r}"


def check_text(text, run):
    lines_are_inert(text)


def check_json(text, run):
    lines_are_inert(text)
    schema = "ab" if "a" in run else "report"
    schema = json.loads((ROOT / f"src/report/{schema}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(text))


# What a page may consist of; there is no link, picture or script of ours.
ELEMENTS = {
    "html", "head", "body", "h2", "h3", "p", "strong", "ul", "li", "code", "details", "summary",
    "table", "thead", "tbody", "tr", "th", "td",
}
# What GitHub makes of text after rendering: mentions, references, addresses, formulas.
AFTER_RENDERING = re.compile(r"@\w|#\d|://|www\.|\$.*\$|:\w+:")


def check_markdown(text, run):
    lines_are_inert(text)
    assert len(text.encode()) < 1 << 20, len(text.encode())
    extensions = ["table", "autolink", "strikethrough", "tasklist"]
    # Raw HTML is let through, to be seen.
    html = cmarkgfm.markdown_to_html_with_extensions(text, Options.CMARK_OPT_UNSAFE, extensions)
    tree = html5lib.parse(html, namespaceHTMLElements=False)
    for element in tree.iter():
        assert isinstance(element.tag, str), f"a comment or the like: {element.text!r}"
        assert element.tag in ELEMENTS, f"<{element.tag}>: {html[:2000]}"
        attributes = set(element.attrib) - {"align"}
        assert not attributes, f"<{element.tag} {attributes}>"
        outside = [element.text, *(child.tail for child in element)]
        for part in outside if element.tag != "code" else []:
            found = AFTER_RENDERING.search(part or "")
            assert not found, f"{found.group()!r} in {part!r}"
    titles = [element for element in tree.iter() if element.tag == "h2"]
    assert len(titles) == 1, "one title"
    word = outcome(run).replace("_", " ").upper()
    assert "".join(titles[0].itertext()).endswith(word), "".join(titles[0].itertext())[-200:]
    # Every table has its own title, so none was opened by a text.
    tables = sum(element.tag == "table" for element in tree.iter())
    assert tables == sum(element.tag == "h3" for element in tree.iter()), "tables and their titles"


def outcome(run):
    return run["outcome"] if "a" in run else run["verdict"]["outcome"]


def check_junit(text, run):
    lines_are_inert(text)
    assert "<!" not in text, "a document type or a section"
    JUNIT.validate(text)
    root = ET.fromstring(text)
    ours = {
        "testsuites", "testsuite", "properties", "property", "testcase", "failure", "skipped", "system-out",
    }
    assert {element.tag for element in root.iter()} <= ours
    suites = list(junitparser.JUnitXml.fromstring(text.encode()))
    assert len(suites) == 1
    suite = suites[0]
    cases = list(suite)
    results = [case.result[0] if case.result else None for case in cases]
    assert suite.tests == len(cases)
    assert suite.failures == sum(isinstance(result, junitparser.Failure) for result in results)
    assert suite.skipped == sum(isinstance(result, junitparser.Skipped) for result in results)
    of = {}
    for case, result in zip(cases, results):
        of.setdefault(case.classname.rsplit(".", 1)[1], []).append((case, result))
    [(_, verdict)] = of["verdict"]
    if outcome(run) in ("pass", "improvement"):
        assert verdict is None and suite.failures == 0, "a run that passed"
    elif outcome(run) in ("fail", "regression"):
        assert isinstance(verdict, junitparser.Failure), "a run that failed"
    else:
        assert verdict is not None, "a run without a verdict is not green"
    if "a" in run:
        return
    thresholds = run["verdict"]["thresholds"]
    assert len(of.get("thresholds", [])) == len(thresholds)
    if outcome(run) not in ("invalid", "nothing_measured", "stopped"):
        for (_, result), threshold in zip(of.get("thresholds", []), thresholds):
            assert (result is None) == threshold["held"]


COMMAND = re.compile(r"::(error|warning) (file=[^,:\r\n]+,)?title=([^,:\r\n]+)::([^\r\n]+)")


def check_github(text, run):
    lines_are_inert(text, commands_are_ours=True)
    kinds = []
    for line in text.splitlines():
        found = COMMAND.fullmatch(line)
        assert found, f"no annotation: {line[:200]!r}"
        for value in found.groups()[1:]:
            assert not re.search(r"%(?!25|0A|0D|3A|2C)", value or ""), f"not escaped: {value!r}"
        kinds.append(found.group(1))
    assert all(kinds.count(kind) <= 10 for kind in kinds), kinds
    assert bool(kinds) == (outcome(run) not in ("pass", "improvement")), kinds


def check_gitlab(text, run):
    lines_are_inert(text)
    document = json.loads(text)
    assert list(document) == ["loadcall"] and 1 <= len(document["loadcall"]) <= 10
    for entry in document["loadcall"]:
        assert list(entry) == ["external_link"] and set(entry["external_link"]) == {"label", "url"}
        assert entry["external_link"]["url"] == PAGE
        assert 0 < len(entry["external_link"]["label"]) <= 255
        lines_are_inert(entry["external_link"]["label"])


LABELS = {
    "scenario", "agent", "version", "quantile", "loadcall_verdict", "metric", "threshold", "outcome", "cause",
    "event", "statistic", "bound", "question", "step", "decides",
}


QUESTIONS_OF_CALLS = {"calls_ok": "failures", "cut_ins": "cut_ins"}


def check_questions(families, comparison):
    """One gauge a question, of the value that report.json has."""
    answers = comparison["answers"] if comparison else []
    counts = {q: comparison[key] for q, key in QUESTIONS_OF_CALLS.items() if comparison and comparison[key]}
    worse = families["loadcall_question_worse"].samples if answers or counts else []
    assert len(worse) == len(answers) + len(counts), worse
    for answer in answers:
        labels = {"question": answer["question"], "decides": str(answer["decides"]).lower()}
        if answer["turn"]:
            labels["step"] = answer["turn"]
        for family, of in (("seconds", 1000), ("ratio", answer["baseline"])):
            ends = {
                s.labels["bound"]: s.value
                for s in families[f"loadcall_question_difference_{family}"].samples
                if labels == {k: v for k, v in s.labels.items() if k not in ("scenario", "bound")}
            }
            assert set(ends) == {"low", "point", "high"}, (labels, ends)
            for bound, value in ends.items():
                known = not answer["lower_bounds"]
                assert not known or abs(value - answer["difference"][bound] / of) < 1e-5, (labels, bound, value)
    for question, count in counts.items():
        ends = {
            s.labels["bound"]: s.value
            for s in families["loadcall_question_calls_ratio"].samples
            if s.labels["question"] == question
        }
        assert all(abs(ends[bound] - count["difference"][bound]) < 1e-5 for bound in ("low", "point", "high")), ends


def check_openmetrics(text, run):
    lines_are_inert(text)
    assert text.endswith("\n# EOF\n")
    families = {family.name: family for family in openmetrics.text_string_to_metric_families(text)}
    for name, family in families.items():
        assert name.startswith(("loadcall_", "lk_agents_turn_")), name
        assert family.samples and family.documentation, name
        for sample in family.samples:
            assert set(sample.labels) <= LABELS, sample
            assert sample.timestamp is None
            for call in run["calls"]:
                assert call["room"] not in sample.labels.values(), "a room as a label"
            assert run["run_id"] not in sample.labels.values(), "a run as a label"
    states = {s.labels["loadcall_verdict"]: s.value for s in families["loadcall_verdict"].samples}
    assert [name for name, value in states.items() if value] == [outcome(run)]
    check_questions(families, run["verdict"]["comparison"])
    heard = run["metrics"].get("heard_e2e_latency")
    if heard:
        family = families["loadcall_heard_e2e_latency_seconds"]
        assert family.unit == "seconds"
        p50 = next(s.value for s in family.samples if s.labels["quantile"] == "0.5")
        bound = "p50" in heard["lower_bounds"]
        assert p50 == (float("inf") if bound else heard["p50"] / 1000) or abs(p50 - heard["p50"] / 1000) < 1e-6


FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")


def table(text, rows):
    lines_are_inert(text)
    header, *body = csv.reader(io.StringIO(text, newline=""))
    assert len(set(header)) == len(header)
    assert len(body) == rows, (len(body), rows)
    for row in body:
        assert len(row) == len(header), row
        for name, cell in zip(header, row):
            assert len(cell) < 32_767
            if name.endswith("_ms"):
                assert cell == "" or float(cell) is not None
            else:
                assert not FORMULA.match(cell), f"a formula: {cell[:100]!r}"
    return [dict(zip(header, row)) for row in body]


def check_calls(text, run):
    for row, call in zip(table(text, len(run["calls"])), run["calls"]):
        assert int(row["call"]) == call["id"]
        assert row["ok"] == {True: "true", False: "false", None: ""}[call["ok"]]


def check_turns(text, run):
    for row, turn in zip(table(text, len(run["turns"])), run["turns"]):
        assert (int(row["call"]), int(row["step"])) == (turn["call"], turn["step"])
        heard = turn["heard_ms"]
        assert (row["heard_ms"] == "") == (heard is None)
        assert heard is None or abs(float(row["heard_ms"]) - heard) < 0.001
        assert row["censored"] == str(turn["censored"]).lower()


# A file for each format that `loadcall report --format` prints; a new format is one more row.
FORMATS = {
    "text": check_text,
    "json": check_json,
    "markdown": check_markdown,
    "junit": check_junit,
    "github-annotations": check_github,
    "gitlab-annotations": check_gitlab,
    "openmetrics": check_openmetrics,
    "calls-csv": check_calls,
    "turns-csv": check_turns,
}
# What there is of an A/B run.
PAIRED = {"text", "json", "markdown", "junit", "github-annotations", "gitlab-annotations"}


def check(folder):
    run = json.loads((folder / "json").read_text())
    files = {path.name for path in folder.iterdir()}
    wanted = PAIRED if "a" in run else set(FORMATS)
    # Beside those, texts in which only commands and controls are looked for.
    messages = {name for name in files if name.startswith("message-")}
    assert files - messages == wanted, f"files {sorted(files)}, expected {sorted(wanted)}"
    for name in sorted(files):
        text = (folder / name).read_bytes().decode()
        try:
            FORMATS.get(name, check_text)(text, run)
        except Exception as e:
            raise SystemExit(f"{folder.name}/{name}: {type(e).__name__}: {str(e)[:3000]}") from e


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        check(pathlib.Path(folder))
    print(f"{len(sys.argv) - 1} runs are valid in every format")
