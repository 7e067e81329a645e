"""The manual pages say what the sources do."""
import re
import subprocess
import unittest

from harness import ROOT

PAGE = ROOT / "master/sallyport-log.5"
FOLDERS = "common master smtpd lookup queue deliver admin".split()


def arguments(text, at):
    """The arguments of the call whose parenthesis opens before `at`."""
    out, depth, quoted, start = [], 1, False, at
    while depth > 0:
        c = text[at]
        if quoted:
            at += c == "\\"
            quoted = c != '"'
        elif c == '"':
            quoted = True
        elif c in "()":
            depth += 1 if c == "(" else -1
        if depth == 0 or c == "," and depth == 1 and not quoted:
            out.append(text[start:at].strip())
            start = at + 1
        at += 1
    return out


def calls(text):
    """(names of events, the call's fields) of each line that the text can log."""
    for found in re.finditer(r"\blog_(?:info|warn|error)\s*\(", text):
        name, *fields = arguments(text, found.end())
        table = re.match(r"(\w+)\[", name)
        if table:       # from a table of names in the same file
            name = re.search(rf"\b{table.group(1)}\[\w*\] = \{{(.*?)\}};", text, re.S).group(1)
        yield re.findall(r'"(\w+)"', re.sub(r"\[\w+\]|\?.*?(?=\")", "", name)), ", ".join(fields)


FIELD = re.compile(r'log_(?:str|span|num|id)\s*\(\s*"(\w+)"')


def in_sources():
    """{event: keys}, and the keys that each event's files have at all."""
    events, near = {}, {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.c")):
            text = path.read_text()
            keys = set(FIELD.findall(text)) | ({"error"} if "log_errno(" in text else set())
            # what others give it
            keys |= {k for name in re.findall(r'"([^"]+\.h)"', text)
                     for k in FIELD.findall((ROOT / name).read_text()) if "log.h" not in name}
            for names, fields in calls(text):
                found = set(FIELD.findall(fields))
                found |= {"error"} if "log_errno(" in fields else set()
                for name in names:
                    events.setdefault(name, set()).update(found)
                    near.setdefault(name, set()).update(keys)
    for name in re.findall(r'SPAN\("event=(\w+)', (ROOT / "master/logger/output.c").read_text()):
        events.setdefault(name, set())
        near.setdefault(name, set())
    return events, near


def in_page():
    """{event: keys} of the lists in the page."""
    out, event = {}, None
    for line in PAGE.read_text().splitlines():
        if line.startswith(".Sh"):
            event = None
        found = re.match(r"\.It Li (\w+)((?: Ar \w+)*)$", line)
        if found:
            event = found.group(1)
            out[event] = set(re.findall(r" Ar (\w+)", found.group(2)))
    return out


class Log(unittest.TestCase):
    def test_every_event_is_documented_and_no_other(self):
        events, _ = in_sources()
        self.assertGreater(len(events), 40)
        self.assertEqual(set(in_page()), set(events))

    def test_their_keys_are_too(self):
        events, near = in_sources()
        page = in_page()
        for name, keys in events.items():
            with self.subTest(name):
                self.assertLessEqual(keys, page.get(name, set()))
                self.assertLessEqual(page.get(name, set()), keys | near[name])


class Pages(unittest.TestCase):
    def test_mandoc_has_nothing_to_say(self):
        pages = sorted(p for folder in FOLDERS + ["etc"] for p in (ROOT / folder).rglob("*.[158]"))
        self.assertGreater(len(pages), 3)
        for page in pages:
            done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], cwd=ROOT,
                                  capture_output=True, text=True)
            self.assertEqual((page.name, done.stdout), (page.name, ""))


if __name__ == "__main__":
    unittest.main()
