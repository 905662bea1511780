# SPDX-License-Identifier: Apache-2.0
"""check_documents.py MUSTER SOURCES [SERVER=PROGRAM] [PROCESS=PROGRAM]

Validates what the verbs print as JSON, and the golden files of tests/cli,
against schemas/. Members that are unknown must be accepted, and a document that
lacks one that is required must not. Commands of verbs that MUSTER does not have,
or that need a program that is not given, are left out.
"""
import copy
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from jsonschema import Draft202012Validator

# Schema, exit status and arguments; FOLDER is a folder with the files below,
# SERVER the address of a server (muster-echo-server), and PROCESS the admin
# socket of a program (tests/cli/live_channels.c).
COMMANDS = [
    ("resolve", 0, "resolve static:///10.0.0.1:1;zone=a;weight=2,[::1]:2"),
    ("resolve", 0, "resolve file://FOLDER/list"),
    ("resolve", 3, "resolve file://FOLDER/empty?empty=accept"),
    ("watch", 0, "watch -n 1 static:///10.0.0.1:1,10.0.0.2:1"),
    ("watch", 0, "watch -n 1 file://FOLDER/empty"),
    ("watch", 4, "watch -n 1 file://FOLDER/nothing"),
    ("call", 0, "call static:///SERVER echo.Echo/Unary -d hi --wait-for-ready"),
    ("call", 0, "call static:///SERVER --health --wait-for-ready"),
    ("call", 71, "call static:///SERVER echo.Echo/Unary --wait-for-ready "
     "--header 'x-status: 7' --header 'x-echo-trailer-a-bin: AP8='"),
    ("call", 78, "call static:///unix:FOLDER/nobody a.B/C"),
    ("call", 0, "call static:///SERVER echo.Echo/Stream --wait-for-ready "
     "--stream -d hi"),
    ("config-check", 0, "config check FOLDER/good"),
    ("config-check", 5, "config check FOLDER/bad"),
    ("simulate", 0, "simulate alike -p random -p round_robin"),
    ("simulate", 0, "simulate standby -p pick_first"),
    ("plugins", 0, "plugins"),
    ("plugins", 0, "plugins list -P FOLDER"),
    ("plugins", 6, "plugins info FOLDER/muster_bad.so"),
    ("plugins-check", 6, "plugins check FOLDER/muster_bad.so"),
    ("plugins-new", 0, "plugins new example"),
    ("version", 0, "version"),
    ("bench", 0, "bench static:///SERVER -n 20 -c 2 --fail-on errors>0"),
    ("bench", 1, "bench static:///unix:FOLDER/nobody -n 2 --max-time 100ms"),
    ("doctor", 0, "doctor -g libraries -g system"),
    ("doctor", 8, "doctor -g target static:///unix:FOLDER/nobody"),
    ("channels", 0, "channels --socket PROCESS"),
    ("explain", 0, "explain --socket PROCESS"),
    ("explain", 4, "explain static:///unix:FOLDER/nobody"),
    ("top", 0, "top --socket PROCESS --count 1"),
]
FILES = {
    "list": '{"endpoints": [{"address": "10.0.0.1:1", "hostname": "a.test"}]}',
    "empty": "[]",
    "good": '{"loadBalancingConfig": [{"round_robin": {}}]}',
    "bad": '{"methodConfig": [{"name": [{}], "timeout": 5}]}',
    "muster_bad.so": "this is no library",
}


class Checker:
    def __init__(self, sources):
        self.faults = 0
        self.checked = 0
        self.seen = set()
        self.schemas = {
            path.name.removesuffix(".schema.json"): json.loads(path.read_text())
            for path in (sources / "schemas").glob("*.schema.json")}
        for schema in self.schemas.values():
            Draft202012Validator.check_schema(schema)

    def fault(self, what):
        print(what)
        self.faults += 1

    def validator(self, name, output_format):
        schema = dict(self.schemas[name])
        if output_format == "ndjson":
            schema["$ref"] = "#/$defs/line"
        return Draft202012Validator(schema)

    def check(self, name, output_format, text, where):
        """All documents of a text; answers them."""
        self.seen.add(name)
        documents = []
        text = text.strip()
        while text:
            document, end = json.JSONDecoder().raw_decode(text)
            documents.append(document)
            text = text[end:].lstrip()
        for document in documents:
            self.checked += 1
            for error in self.validator(name, output_format).iter_errors(document):
                self.fault(f"{where}: {error.json_path}: {error.message}")
        return documents

    def check_bounds(self, name, output_format, document, where):
        """Members more and less, in the document and its rows."""
        valid = self.validator(name, output_format).is_valid
        places = [()]
        places += [(key, 0) for key, value in document.items()
                   if isinstance(value, list) and value
                   and isinstance(value[0], dict)]
        for place in places:
            more = copy.deepcopy(document)
            self.at(more, place)["a_member_of_the_future"] = {"of": ["any", "kind"]}
            if not valid(more):
                self.fault(f"{where}: an unknown member is refused in {place}")
            for key in self.at(document, place):
                less = copy.deepcopy(document)
                del self.at(less, place)[key]
                if valid(less):
                    self.fault(f"{where}: {key} may be missing in {place}")
            if output_format == "json" and place == ():
                for other in (2, "1", None):
                    if valid(dict(document, schema_version=other)):
                        self.fault(f"{where}: schema_version may be {other}")

    @staticmethod
    def at(document, place):
        for step in place:
            document = document[step]
        return document


def check_live(checker, muster, verbs, words):
    """words: what FOLDER, SERVER and PROCESS stand for."""
    for name, code, command in COMMANDS:
        needed = set(re.findall("SERVER|PROCESS", command))
        if command.split()[0] not in verbs or not needed <= words.keys():
            continue
        for output_format in "json", "ndjson":
            arguments = [re.sub("|".join(words), lambda found: words[found[0]], word)
                         for word in shlex.split(command)]
            with tempfile.TemporaryDirectory() as work:
                done = subprocess.run(
                    [muster, *arguments, "-o", output_format], cwd=work,
                    capture_output=True, text=True, check=False)
            where = f"muster {command} -o {output_format}"
            if done.returncode != code:
                checker.fault(f"{where}: status {done.returncode}, not {code}: "
                              f"{done.stderr}")
                continue
            documents = checker.check(name, output_format, done.stdout, where)
            for document in documents[:1]:
                # Of an event, what must be there depends on its type.
                if name != "watch" or "add" in json.dumps(document):
                    checker.check_bounds(name, output_format, document, where)


def check_golden(checker, cases):
    """Those of which the whole output is that of one command."""
    pattern = re.compile(r"^\$ muster (\w+)(?: (\w+))?[^|;]*-o (json|ndjson)[^|;]*$",
                         re.MULTILINE)
    for path in sorted(cases.glob("*.case")):
        text = path.read_text(errors="replace")
        found = pattern.findall(text)
        output = re.sub(r"\A.*?^stderr [^\n]*\n", "", text, flags=re.S | re.M)
        if len(found) != 1 or not output.startswith("{"):
            continue
        verb, action, output_format = found[0]
        name = f"{verb}-{action}" if f"{verb}-{action}" in checker.schemas else verb
        if output_format == "json":
            output = output[:output.rindex("\n}") + 2]
        checker.check(name, output_format, output, path.name)


def verbs_of(muster):
    text = subprocess.run([muster, "--help"], capture_output=True, text=True,
                          check=True).stdout
    return set(re.findall(r"^  ([a-z]+) ", text[text.index("Verbs:"):], re.M))


def start(name, program, folder):
    """The program, which ends with its input, and what its name stands for."""
    path = f"{folder}/{name.lower()}"
    if name == "SERVER":
        arguments, word = ["--unix", path, "--health", "SERVING"], f"unix:{path}"
        environment = os.environ
    else:
        arguments, word = ["--none", "static:///10.0.0.1:1,10.0.0.2:1"], path
        environment = dict(os.environ, MUSTER_ADMIN=f"unix:{path}")
    process = subprocess.Popen([program, *arguments], env=environment,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline() # it is up
    return process, word


def main():
    muster, sources = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
    checker = Checker(sources)
    verbs = verbs_of(muster)
    processes = []
    with tempfile.TemporaryDirectory() as folder:
        words = {"FOLDER": folder}
        for name, text in FILES.items():
            pathlib.Path(folder, name).write_text(text)
        for argument in sys.argv[3:]:
            name, program = argument.split("=", 1)
            process, words[name] = start(name, program, folder)
            processes.append(process)
        check_live(checker, muster, verbs, words)
        for process in processes:
            process.stdin.close()
            process.wait()
    check_golden(checker, sources / "tests" / "cli" / "cases")
    for name in checker.schemas.keys() - checker.seen:
        if name.split("-")[0] in verbs:
            checker.fault(f"nothing was checked by schema {name}")
    for verb in verbs - {"help"}:
        if not any(name.split("-")[0] == verb for name in checker.schemas):
            checker.fault(f"no schema is named after the verb {verb}")
    print(f"{checker.checked} documents, {checker.faults} faults")
    return 1 if checker.faults else 0


if __name__ == "__main__":
    os.environ.pop("MUSTER_PLUGIN_PATH", None)
    sys.exit(main())
