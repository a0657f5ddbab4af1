"""Prints the licences of everything that is built into loadcall for a target, as archives have to carry them.

Reads what cargo downloaded; run it where loadcall was built.
"""

import json
import pathlib
import subprocess
import sys

NAMES = ("license", "licence", "copying", "notice", "copyright", "unlicense")


def packages(target):
    """All packages of the program, without those of its build and its tests."""
    command = ["cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={target}"]
    data = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    by_id = {package["id"]: package for package in data["packages"]}
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    root = data["resolve"]["root"]
    seen, waiting = {root}, [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if linked and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    return sorted((by_id[id] for id in seen if by_id[id]["source"]), key=lambda p: (p["name"], p["version"]))


def texts(package):
    """The licence files of a package, those of the C libraries inside it included."""
    folder = pathlib.Path(package["manifest_path"]).parent
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name.lower().startswith(NAMES) and path.suffix.lower() not in (".rs", ".c", ".h"):
            yield path.relative_to(folder), path.read_text(encoding="utf-8", errors="replace").strip()


def main():
    print("loadcall is built with the following software, whose licences stand below its name.")
    printed = {}
    for package in packages(sys.argv[1]):
        name = f"{package['name']} {package['version']}"
        print(f"\n{'=' * 78}\n{name}: {package['license'] or 'see below'}\n{package['repository'] or ''}")
        for path, text in texts(package):
            same = printed.setdefault(text, f"{name}, {path}")
            print(f"\n--- {path}\n{text if same == f'{name}, {path}' else f'the same as {same}'}")


main()
