"""Walks through the console in Chromium as somebody would who sees it for the first time, and takes the pictures in
docs/console. Fails at the first step that does not work, and if axe-core finds anything on a page.

DEDUP is the program, AXE the script of axe-core. With TLS=1 the console has a certificate and all of it goes over TLS. An
argument is the folder of the pictures.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

DEDUP = os.environ["DEDUP"]
AXE = Path(os.environ["AXE"]).read_text()
BY_TLS = os.environ.get("TLS") == "1"
PASSWORD = "correct horse battery"
PICTURES = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/console")
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


# What axe-core found, and pages that are wider than the window.
FOUND = []


WORD = """<w:document xmlns:w="w"><w:body>
<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Rent contract</w:t></w:r></w:p>
<w:p><w:r><w:t>Between the owner and the tenant, from 1 April on.</w:t></w:r></w:p>
<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Room</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>Rent</w:t></w:r></w:p></w:tc></w:tr>
<w:tr><w:tc><w:p><w:r><w:t>会議室</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>80,000</w:t></w:r></w:p></w:tc></w:tr></w:tbl>
</w:body></w:document>"""
# Whoever runs one of these has got out of the preview.
SCRIPT = "<script>document.title = 'out'; alert('out'); fetch('/api/status')</script>"
DRAWING = f"<svg xmlns='http://www.w3.org/2000/svg' width='200' height='80' onload=\"alert('out')\">{SCRIPT}" \
          "<rect width='200' height='80' fill='teal'/></svg>"
PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 120]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj
4 0 obj<</Length 44>>stream
BT /F 24 Tf 20 60 Td (A page of a PDF) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""


def step(text):
    print(f"  {text}", flush=True)


class Home:
    """A home with two repositories, two sets, and a month of history."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.env = {"HOME": folder, "PATH": os.environ["PATH"], "TZ": "Asia/Tokyo", "LANG": "C.UTF-8",
                    "DEDUP_HOST": "office-pc3", "DEDUP_KEY_CACHE": "0s"}
        documents = self.folder / "Documents"
        for name, text in {
            "letters/contract.txt": "The first contract\n" * 40,
            "letters/invitation.txt": "You are invited\n" * 20,
            "letters/old/1999.txt": "An old letter\n",
            "budget 2026.csv": "month,amount\n" * 300,
            "pages/page.html": f"<h1>A page</h1>{SCRIPT}",
            "pages/drawing.svg": DRAWING,
            "notes.md": "# Notes\n",
            ".profile": "umask 077\n",
        }.items():
            path = documents / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for name in ("写真/富士山.jpg", "photos/harbour.jpg"):
            path = documents / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.linear_gradient("L").resize((1600, 1000)).convert("RGB").save(path)
        (documents / "pages/scan.pdf").write_bytes(PDF)
        with zipfile.ZipFile(documents / "letters/contract.docx", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("word/document.xml", WORD)
        mail = self.folder / "Mail"
        mail.mkdir()
        for number in range(40):
            (mail / f"message-{number:02}.eml").write_text(f"Subject: {number}\n" * 100)
        self.run("init", "--no-recovery")
        self.run("--repo", f"{folder}/second", "init", "--no-recovery", "--key-file", f"{folder}/second.key")

    def run(self, *args, ok=(0,)):
        done = subprocess.run([DEDUP, *args], env=self.env, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode in ok, (args, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def settings(self, listen):
        (self.folder / ".config/dedup/dedup.toml").write_text(f"""
[remotes.main]
url = "{self.folder}/.local/share/dedup/repository"
key-file = "{self.folder}/.config/dedup/default.key"
quota = "4M"
[remotes.usb]
url = "{self.folder}/second"
key-file = "{self.folder}/second.key"
[sets.documents]
sources = ["~/Documents"]
exclude = ["*.tmp"]
destinations = ["main"]
schedule = "daily 12:30"
priority = 10
[sets.mail]
sources = ["~/Mail"]
destinations = ["usb"]
schedule = "mon,thu 22:00"
[console]
listen = "{listen}"
lang = "en"
{self.certificate() if BY_TLS else ""}""")

    def certificate(self):
        files = {"certificate": self.folder / "console.pem", "key": self.folder / "console.key"}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", files["key"], "-out", files["certificate"]], check=True, capture_output=True)
        return "".join(f'tls-{name} = "{path}"\n' for name, path in files.items())

    def trust(self):
        """Options by which the browser trusts that certificate, for downloads, too."""
        if not BY_TLS:
            return []
        key = subprocess.run(["openssl", "pkey", "-in", self.folder / "console.key", "-pubout", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        return ["--ignore-certificate-errors-spki-list=" + base64.b64encode(hashlib.sha256(key).digest()).decode()]

    def storage(self):
        """Two months in which a repository grew, and when it was proven."""
        now = datetime.now(timezone.utc)
        state = self.folder / ".local/state/dedup"
        at = [(now - timedelta(days=days)).isoformat().replace("+00:00", "Z") for days in range(56, 0, -7)]
        note = {"place": f"{self.folder}/.local/share/dedup/repository", "asked": at[-1], "reachable": True,
                "samples": [{"at": day, "used": 40_000 + 24_000 * nr} for nr, day in enumerate(at)]}
        (state / "usage").mkdir(parents=True, exist_ok=True)
        (state / "usage/main.json").write_text(json.dumps(note))
        (state / "history/proofs.json").write_text(json.dumps({"main": {"check": at[-2], "restore": at[-1]}}))

    def history(self):
        """A month of rows: most good, some not."""
        now = datetime.now(timezone.utc)
        folder = self.folder / ".local/state/dedup/history"
        folder.mkdir(parents=True, exist_ok=True)
        for day in range(29, 0, -1):
            start = (now - timedelta(days=day)).replace(hour=3, minute=30, second=7, microsecond=0)
            row = {"id": start.strftime("%Y%m%d-%H%M%S-") + f"{day:04x}", "kind": "backup", "set": "documents",
                   "cause": "regular", "start": start.isoformat().replace("+00:00", "Z"),
                   "end": (start + timedelta(seconds=48)).isoformat().replace("+00:00", "Z"),
                   "sources": [f"{self.folder}/Documents"], "files": 6, "bytes": 131072, "status": "completed",
                   "snapshot": "00" * 16, "problems": 0, "destinations": [{"name": "main", "status": "completed"}]}
            if day in (21, 20):
                row.update(status="incomplete", reason="network", snapshot=None, message="storage not reachable",
                           message_ja="保存先に接続できません")
                row["destinations"][0].update(status="incomplete", reason="network")
            if day == 13:
                row.update(status="incomplete", reason="access denied", problems=1)
            if day == 8:
                row.update(status="not run", snapshot=None, destinations=[], message="runs are paused",
                           message_ja="休止中です")
            if day == 4:
                continue
            with open(folder / (start.strftime("%Y-%m") + ".jsonl"), "a") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


@contextmanager
def console(home):
    """The program, and what it printed first."""
    began = time.monotonic()
    program = subprocess.Popen([DEDUP, "console", "--json"], env=home.env, cwd=home.folder, stdout=subprocess.PIPE,
                               text=True)
    try:
        told = json.loads(program.stdout.readline())
        told["took"] = time.monotonic() - began
        yield told, program
        program.send_signal(signal.SIGINT)
        assert program.wait(30) == 0
    finally:
        program.kill()


def check_axe(page, where):
    # Not by a tag, which the policy of the page forbids: by the debugger.
    page.evaluate(AXE)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    wrong = [(one["id"], one["help"], [node["target"] for node in one["nodes"]][:3]) for one in found["violations"]]
    FOUND.extend(f"{where}: {one}" for one in wrong)


def picture(page, name):
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path)
    # 256 colours are enough for text and a few tints.
    Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def check_width(page, where):
    if page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
        FOUND.append(f"{where}: wider than the window")


def wait_until_done(page, set_name):
    expect(page.get_by_role("button", name=f"Back up now {set_name}")).to_be_visible(timeout=60_000)


def first_visit(page, told):
    step("first start: the link sets the password, and its code does not stay in the address")
    page.goto(told["link"])
    assert "#" not in page.url and told["link"].split("#")[1] not in page.content().split("<form")[0]
    check_axe(page, "start")
    picture(page, "start-en-light")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Repeat the password").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Waiting for the first backup")
    step("logging out and in")
    page.get_by_role("button", name="Log out").click()
    check_axe(page, "login")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_title(re.compile("Home · office-pc3"))


def walk(page, home, told):
    step("Back up now, watched in two tabs")
    other = page.context.new_page()
    other.goto(told["url"])
    page.get_by_role("button", name="Back up now documents").click()
    wait_until_done(page, "documents")
    page.get_by_role("button", name="Back up now mail").click()
    wait_until_done(page, "mail")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Everything is backed up")
    expect(other.get_by_role("heading", level=1)).to_contain_text("Everything is backed up")
    step("a run by a command shows at once in both")
    contract = home.folder / "Documents/letters/contract.txt"
    before = contract.read_bytes()
    contract.write_text("The second contract\n")
    (home.folder / "Documents/notes.md").unlink()
    home.run("run", "documents")
    events = page.locator(".events li")
    expect(events.first).to_contain_text("documents", timeout=20_000)
    expect(events.first).to_contain_text("just now")
    step("more tabs than a browser opens connections, and one that is loaded again")
    tabs = [page.context.new_page() for _ in range(8)]
    for tab in tabs:
        tab.goto(told["url"])
        expect(tab.get_by_role("heading", level=1)).to_contain_text("Everything is backed up")
    other.reload()
    home.run("run", "mail")
    for tab in [other, *tabs]:
        expect(tab.locator(".events li").first).to_contain_text("mail", timeout=20_000)
        tab.close()
    page.reload()
    step("history: the last run's files")
    page.get_by_role("link", name="History").first.click()
    check_axe(page, "history")
    page.get_by_role("row").filter(has_text="documents").get_by_role("link", name="backup").first.click()
    page.get_by_role("link", name="Show files").click()
    expect(page.locator("table.files")).to_contain_text("contract.txt")
    expect(page.locator("table.files")).to_contain_text("notes.md")
    check_axe(page, "job")
    step("restore: the file as it was before, by the calendar and the basket")
    page.get_by_role("link", name="Restore", exact=True).click()
    check_axe(page, "restore")
    page.get_by_role("button", name=re.compile("Open ")).first.click()
    expect(page.locator(".tree .below li").first).to_be_visible()
    page.locator(".moments a").first.click()
    page.locator(".entries").get_by_role("link", name="letters/").click()
    page.get_by_label(re.compile("Select .*contract.txt")).check()
    page.get_by_role("button", name="Add to basket").click()
    expect(page.locator(".basket li")).to_have_count(1)
    with page.expect_download() as waited:
        page.get_by_label(re.compile("Download .*contract.txt")).click()
    assert Path(waited.value.path()).read_bytes() == before
    page.get_by_role("link", name="Restore these").click()
    check_axe(page, "target")
    target = home.folder / "restored"
    page.get_by_label("Folder", exact=True).fill(str(target))
    page.get_by_role("button", name="See what would happen").click()
    expect(page.get_by_role("status").first).to_contain_text("1 file")
    assert not target.exists()
    picture(page, "target-en-light")
    page.get_by_role("button", name="Restore now").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Restore finished", timeout=30_000)
    assert (target / "contract.txt").read_bytes() == before
    check_axe(page, "restore job")
    step("search: a file that was deleted comes back")
    page.keyboard.press("/")
    page.keyboard.type("notes")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Search results")
    check_axe(page, "search")
    page.get_by_role("button", name="Restore these").first.click()
    page.get_by_label("To where they were").check()
    page.get_by_role("button", name="Restore now").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Restore finished", timeout=30_000)
    assert (home.folder / "Documents/notes.md").read_text() == "# Notes\n"
    step("pause and resume")
    page.goto(told["url"])
    page.get_by_text("Pause", exact=True).click()
    page.get_by_role("button", name="4 hours").click()
    expect(page.locator("form.note")).to_contain_text("Paused until")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("form.note")).to_have_count(0)
    step("the strip by keyboard, and the list of keys")
    page.locator(".strip").first.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".tip").first).to_contain_text("20")
    page.locator("body").press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    check_axe(page, "keys")
    page.keyboard.press("Escape")


def set_up(page, home, told):
    step("a second destination, tested and added")
    began = time.monotonic()
    page.goto(told["url"] + "destinations")
    page.get_by_role("link", name="Add a destination").click()
    page.get_by_label("Name", exact=True).fill("nas")
    page.get_by_label("Folder or URL").fill(str(home.folder / "third"))
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_role("status")).to_contain_text("replica will be made")
    check_axe(page, "new destination")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="nas")).to_be_visible(timeout=30_000)
    assert time.monotonic() - began < 60
    step("a set with ticked folders: what is in it, what the rules leave out, and when it runs")
    page.goto(told["url"] + "sets")
    page.get_by_role("link", name="Add a set").click()
    page.get_by_label("Name of the set").fill("letters")
    page.get_by_role("checkbox", name="Documents").click()
    expect(page.get_by_role("checkbox", name="Documents")).to_have_attribute("aria-checked", "true")
    page.get_by_role("button", name=re.compile("Open .*Documents$")).click()
    page.get_by_role("checkbox", name="photos").click()
    expect(page.get_by_role("checkbox", name="Documents")).to_have_attribute("aria-checked", "mixed")
    expect(page.get_by_label("Patterns, one a line")).to_have_value(re.compile("/Documents/photos/"))
    answer = page.locator(".answer")
    documents = home.folder / "Documents"
    inside = [path for path in documents.rglob("*") if path.is_file() and documents / "photos" not in path.parents]
    expect(answer.nth(0)).to_contain_text(f"{len(inside)} files", timeout=20_000)
    expect(answer.nth(0)).to_contain_text("1 file")
    page.get_by_label("nas", exact=True).check()
    page.get_by_label("When it runs").fill("every 2h mon..fri 09:00-18:00")
    expect(answer.nth(1)).to_contain_text("every 2 hours", timeout=20_000)
    expect(answer.nth(1).locator("li")).to_have_count(10)
    page.get_by_label("Up to an age of 1").fill("7d")
    page.get_by_label("keep one every 1").fill("1h")
    page.get_by_label("Up to an age of 2").fill("")
    page.get_by_label("keep one every 2").fill("1d")
    expect(answer.nth(2).locator("svg")).to_be_visible(timeout=20_000)
    expect(answer.nth(3)).to_contain_text("[sets.letters]", timeout=20_000)
    expect(answer.nth(3)).to_contain_text("dedup set add letters")
    check_axe(page, "set form")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_role("heading", name="letters")).to_be_visible()
    step("a set that a command changes shows at once, and saving over it is refused")
    page.get_by_role("link", name="Edit letters").click()
    expect(answer.nth(3)).to_contain_text("Nothing changes", timeout=20_000)
    home.run("set", "edit", "letters", "--priority", "5")
    expect(page.get_by_role("alert")).to_contain_text("was changed", timeout=20_000)
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_role("alert").first).to_contain_text("changed")
    step("a check and a prune with its cost first")
    page.goto(told["url"] + "destinations")
    page.get_by_role("button", name="Check main", exact=True).click()
    expect(page.locator(".note.good")).to_be_visible(timeout=60_000)
    check_axe(page, "check")
    page.goto(told["url"] + "destinations")
    page.get_by_role("button", name="Prune… main").click()
    expect(page.get_by_role("button", name="Prune now")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Prune now").click()
    expect(page.locator(".note.good")).to_be_visible(timeout=60_000)
    step("a restore drill, with its result on Home and in the history")
    page.goto(told["url"] + "destinations")
    page.get_by_role("button", name="Restore drill main").click()
    expect(page.locator(".note.good")).to_contain_text("restored as it was backed up", timeout=60_000)
    page.goto(told["url"])
    expect(page.locator(".events li").first).to_contain_text("drill")
    uses_space(page, home, told)
    renames(page, home, told)
    step("a recovery phrase, typed back")
    page.goto(told["url"] + "settings/keys")
    page.get_by_role("button", name="Make a recovery phrase").first.click()
    words = page.locator(".phrase code").all_text_contents()
    assert len(words) == 24
    check_axe(page, "phrase")
    page.get_by_label("Type the recovery phrase back").first.fill(" ".join(words))
    page.get_by_role("button", name="Check it").first.click()
    expect(page.get_by_role("status")).to_contain_text("The phrase is right", timeout=30_000)
    step("a limit, and a token that is shown once")
    page.goto(told["url"] + "settings")
    page.get_by_role("heading", name="Limits").click()
    page.get_by_label("Upload rate (10M", exact=False).first.fill("10M")
    page.get_by_role("button", name="Save Limits").click()
    expect(page.locator(".diff")).to_contain_text("+upload")
    page.get_by_label("What it is for").fill("grafana")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#token")).to_contain_text("dedup_")
    check_axe(page, "settings")
    page.get_by_role("button", name="Revoke grafana").click()
    expect(page.get_by_role("button", name="Revoke grafana")).to_have_count(0)
    # The pictures show what they did before.
    home.run("set", "remove", "post", "--yes")
    home.run("remote", "remove", "nas")


def uses_space(page, home, told):
    step("what uses the space: into a folder, excluded from now on, and purged after its path is typed")
    page.goto(told["url"])
    page.get_by_role("link", name="What uses it main").click()
    page.get_by_role("button", name="Calculate").click()
    expect(page.locator("table.space")).to_be_visible(timeout=60_000)
    check_axe(page, "space")
    page.locator("table.space").get_by_role("link", name="pages/", exact=False).first.click()
    page.get_by_role("button", name="Calculate").click()
    expect(page.locator("table.space")).to_contain_text("page.html", timeout=60_000)
    page.get_by_role("link", name=re.compile("Exclude from now on.*page.html")).click()
    expect(page.locator(".diff").first).to_contain_text("pages/page.html")
    check_axe(page, "exclude")
    page.get_by_role("button", name="Save documents").click()
    expect(page.get_by_role("status")).to_contain_text("leaves out")
    page.get_by_role("link", name=re.compile("Purge.*page.html")).click()
    check_axe(page, "purge")
    page.get_by_role("button", name="See what would go").click()
    expect(page.get_by_role("button", name="Purge it now")).to_be_visible(timeout=60_000)
    check_axe(page, "purge found")
    page.get_by_role("textbox", name="To remove it").fill("page.html")
    page.get_by_role("button", name="Purge it now").click()
    expect(page.get_by_role("alert")).to_contain_text("not the path")
    page.get_by_role("textbox", name="To remove it").fill(str(home.folder / "Documents/pages/page.html"))
    page.get_by_role("button", name="Purge it now").click()
    expect(page.locator(".note.good")).to_contain_text("taken out of", timeout=60_000)
    home.run("set", "edit", "documents", "--exclude", "*.tmp")
    # The files of runs whose snapshots were changed by the purge can't be listed any more.
    home.run("run", "documents")
    # Kept for the picture.
    page.goto(told["url"] + "space?remote=main")
    page.get_by_role("button", name="Calculate").click()
    expect(page.locator("table.space")).to_be_visible(timeout=60_000)


def renames(page, home, told):
    step("a set gets another name, and keeps its history")
    page.goto(told["url"] + "sets/edit/letters")
    page.get_by_label("Name of the set").fill("post")
    expect(page.locator(".answer").nth(3)).to_contain_text("former-names", timeout=20_000)
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_role("heading", name="post")).to_be_visible()


def follows(page, home, told):
    """What a command does, or somebody writes into the file, shows at once on each page."""
    step("each page follows commands and the settings file by itself")
    page.goto(told["url"] + "history")
    home.run("check")
    expect(page.locator("table.jobs tbody tr").first).to_contain_text("check", timeout=20_000)
    page.goto(told["url"] + "destinations")
    drill = page.locator("section.set").first.locator("dt", has_text="Last restore drill").locator("+ dd")
    expect(drill).to_contain_text("never")
    home.run("drill")
    expect(drill).to_contain_text("just now", timeout=20_000)
    page.goto(told["url"])
    home.run("drill")
    expect(page.locator(".events li").first).to_contain_text("drill", timeout=20_000)
    page.goto(told["url"] + "sets")
    home.run("set", "edit", "mail", "--tag", "seen")
    expect(page.get_by_text("seen", exact=True)).to_be_visible(timeout=20_000)
    file = home.folder / ".config/dedup/dedup.toml"
    before = file.read_text()
    file.write_text(before.replace('exclude = ["*.tmp"]', 'exclude = ["*.tmp", "*.bak"]').replace('"seen"', '"seen too"'))
    expect(page.get_by_text("*.bak")).to_be_visible(timeout=20_000)
    page.goto(told["url"] + "destinations")
    file.write_text(file.read_text() + f'[remotes.extra]\nurl = "{home.folder}/extra"\n')
    expect(page.get_by_role("heading", name="extra")).to_be_visible(timeout=20_000)
    file.write_text(before)
    home.run("set", "edit", "mail", "--tag", "")
    expect(page.get_by_role("heading", name="extra")).to_have_count(0, timeout=20_000)


def look_into(page, home, told):
    """Versions, previews, what was deleted and what changed."""
    opened = []
    page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
    step("versions: the file as it was, compared with the one before and with the disk")
    page.goto(told["url"] + "restore")
    page.locator(".entries").get_by_role("link", name="letters/").click()
    page.get_by_label(re.compile("Versions .*contract.txt")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("2 versions")
    check_axe(page, "versions")
    page.locator(".rail summary").first.click()
    expect(page.locator(".rail .holders li").first).to_be_visible()
    page.get_by_role("link", name="Compare with the version before").first.click()
    expect(page.locator("tr.added")).to_contain_text("The second contract")
    check_axe(page, "compare")
    page.go_back()
    page.get_by_role("link", name="Compare with now").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("identical")
    page.go_back()
    page.get_by_role("button", name="Add to basket").last.click()
    expect(page.locator(".basket li")).to_have_count(1)
    step("previews: text, an image, a document, and what would like to get out")
    for name, word in (("letters/contract.txt", "The second contract"), ("letters/contract.docx", "会議室"),
                       ("pages/page.html", "<h1>A page</h1>"), ("pages/drawing.svg", None),
                       ("写真/富士山.jpg", None)):
        folder, file = name.rsplit("/", 1)
        page.goto(told["url"] + "restore")
        page.locator(".entries").get_by_role("link", name=f"{folder}/").click()
        page.locator(".entries").get_by_role("link", name=file, exact=True).click()
        frame = page.frame_locator("iframe.preview")
        if word:
            expect(frame.locator("body")).to_contain_text(word)
        elif file.endswith("jpg"):
            expect(frame.locator("img")).to_be_visible()
        else:
            expect(frame.locator("rect")).to_be_visible()
        check_axe(page, f"preview of {name}")
    step("a PDF in the browser's own viewer, or the download where there is none")
    page.goto(told["url"] + "restore")
    page.locator(".entries").get_by_role("link", name="pages/").click()
    page.locator(".entries").get_by_role("link", name="scan.pdf", exact=True).click()
    has_viewer = page.evaluate("navigator.pdfViewerEnabled")
    expect(page.locator("iframe.preview")).to_be_visible(visible=has_viewer)
    expect(page.locator("#no-pdf")).to_be_visible(visible=not has_viewer)
    page.go_back()
    page.locator(".entries").get_by_role("link", name="drawing.svg", exact=True).wait_for()
    page.goto(told["url"] + "restore")
    page.locator(".entries").get_by_role("link", name="写真/").click()
    page.locator(".entries").get_by_role("link", name="富士山.jpg", exact=True).click()
    page.wait_for_timeout(300)
    assert not opened and page.title().startswith("富士山.jpg"), (opened, page.title())
    step("deleted and hidden files, and the basket as an archive")
    home.run("run", "documents")
    (home.folder / "Documents/notes.md").unlink()
    home.run("run", "documents")
    page.goto(told["url"] + "restore")
    expect(page.get_by_text("notes.md")).to_have_count(0)
    expect(page.get_by_text(".profile")).to_have_count(0)
    page.get_by_role("switch", name="Deleted files").click()
    page.get_by_role("switch", name="Hidden files").click()
    expect(page.get_by_text(".profile")).to_be_visible()
    check_axe(page, "deleted files")
    page.get_by_label(re.compile("Select .*notes.md")).check()
    page.get_by_role("button", name="Add to basket").click()
    expect(page.locator(".basket li")).to_have_count(2)
    with page.expect_download() as waited:
        page.get_by_role("link", name="Download as ZIP").click()
    archive = zipfile.ZipFile(waited.value.path())
    assert archive.testzip() is None
    contents = {name.rsplit("/", 1)[-1]: archive.read(name) for name in archive.namelist()}
    assert contents["notes.md"] == b"# Notes\n", contents.keys()
    assert contents["contract.txt"].startswith(b"The first contract"), contents.keys()
    page.get_by_role("button", name="Empty the basket").click()
    step("what changed since the snapshot before")
    page.get_by_role("link", name="What changed").click()
    expect(page.locator("table.changes")).to_contain_text("notes.md")
    check_axe(page, "changes")
    (home.folder / "Documents/late.txt").write_text("late")
    page.get_by_label("Compare with").select_option("now")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("table.changes")).to_contain_text("late.txt")
    (home.folder / "Documents/late.txt").unlink()
    (home.folder / "Documents/notes.md").write_text("# Notes\n")


def pictures(page, home, told):
    """Each page in both languages and both themes, and the phone's width."""
    latest = json.loads(home.run("history", "--set", "documents", "--limit", "1", "--json").splitlines()[0])["id"]
    pages = {"home": "", "restore": "restore", "history": "history", "job": f"history/{latest}?files=all",
             "sets": "sets", "search": "search?q=contract.txt", "set": "sets/edit/documents",
             "destinations": "destinations", "space": "space?remote=main", "destination": "destinations/new", "machines": "machines",
             "settings": "settings", "keys": "settings/keys", "logs": "settings/logs", "file": "settings/file"}
    # Looked at, and not kept.
    others = ("destination", "keys", "logs", "file")
    page.goto(told["url"] + "search?q=contract.txt")
    pages["versions"] = page.locator(".found h2 a").first.get_attribute("href").lstrip("/")
    pages["preview"] = pages["versions"].replace("restore/versions", "preview").replace(".txt", ".docx")
    page.goto(told["url"] + pages["versions"])
    compare = page.get_by_role("link", name="Compare with the version before").first
    pages["compare"] = compare.get_attribute("href").lstrip("/")
    folder = re.sub("path=.*", "path=", pages["versions"]) + f"{home.folder}/Documents"
    pages["deleted"] = folder.replace("restore/versions", "restore") + "&deleted=1&hidden=1"
    pages["changes"] = folder.replace("restore/versions", "restore/changes")
    for lang in ("en", "ja"):
        for theme in ("light", "dark"):
            page.set_viewport_size(WIDE)
            page.goto(told["url"])
            # Without a choice it is the system's, which is light here.
            shown = "[document.documentElement.lang, document.documentElement.dataset.theme || 'light']"
            current = page.evaluate(shown)
            if current[0] != lang:
                page.locator("button[name=lang]").click()
            if current[1] != theme:
                page.locator(f"button[name=theme][value={theme}]").click()
            for name, path in pages.items():
                page.goto(told["url"] + path)
                if name == "set":
                    expect(page.locator(".answer svg")).to_be_visible(timeout=20_000)
                    expect(page.locator(".answer .rules")).to_be_visible(timeout=20_000)
                assert page.evaluate(shown) == [lang, theme]
                check_axe(page, f"{name} {lang} {theme}")
                check_width(page, name)
                if name not in others:
                    picture(page, f"{name}-{lang}-{theme}")
                if theme == "light":
                    page.set_viewport_size(PHONE)
                    check_width(page, f"{name} on a phone")
                    check_axe(page, f"{name} {lang} on a phone")
                    if name not in others:
                        picture(page, f"{name}-{lang}-phone")
                    page.set_viewport_size(WIDE)


@contextmanager
def folder_of_me():
    """A home whose path is the same in every picture."""
    folder = Path(tempfile.gettempdir(), "me")
    folder.mkdir(mode=0o700)
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder)


def main():
    with folder_of_me() as folder:
        home = Home(folder)
        home.settings("127.0.0.1:0")
        home.history()
        home.storage()
        with console(home) as (told, program), sync_playwright() as playwright:
            step(f"started in {told['took'] * 1000:.0f} ms")
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium",
                                                 args=["--no-sandbox", *home.trust()])
            context = browser.new_context(viewport=WIDE, color_scheme="light", timezone_id="Asia/Tokyo")
            assert told["url"].startswith("https://" if BY_TLS else "http://")
            page = context.new_page()
            said = []
            # A save or a purge that is refused is said so by its status, too.
            page.on("console", lambda message: said.append(message.text)
                    if message.type == "error" and not re.search("status of (409|422)", message.text) else None)
            page.on("pageerror", lambda error: said.append(str(error)))
            first_visit(page, told)
            walk(page, home, told)
            look_into(page, home, told)
            follows(page, home, told)
            set_up(page, home, told)
            pictures(page, home, told)
            memory = Path(f"/proc/{program.pid}/status").read_text()
            step("memory: " + re.search(r"VmRSS:\s*(.*)", memory)[1])
            # The browser says that it ran no script of a preview.
            said = [one for one in said if "Blocked script execution" not in one]
            assert not said and not FOUND, "\n".join(said + FOUND)
            browser.close()
    print("everything works")


main()
