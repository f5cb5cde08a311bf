"""A person with a web browser before Roundcube: what the pages' scripts would ask for, by HTTP."""
import html
import http.cookiejar
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid


class Calls(list):
    """What a response has the page's script do: (name, arguments)."""

    def all(self, name):
        return [args for n, args in self if n == name]

    def messages(self):
        """What the person is told, as (kind, text)."""
        return [(a[1] if len(a) > 1 else "", a[0]) for a in self.all("display_message")]

    def has(self, kind):
        return any(k == kind for k, _ in self.messages())


def arguments(text, at):
    """JSON values between commas, up to the closing parenthesis; and where that is."""
    decoder, values = json.JSONDecoder(), []
    while text[at] != ")":
        if text[at] in ", \n":
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        values.append(value)
    return values, at + 1


def calls_of(script):
    found, at = Calls(), 0
    for m in re.finditer(r"(?:this|parent\.rcmail|rcmail|parent\.\w+\.rcmail)\.(\w+)\(", script):
        if m.start() < at:
            continue
        try:
            values, at = arguments(script, m.end())
        except (ValueError, IndexError):
            continue  # code, not data
        found.append((m[1], values))
    return found


class Answer:
    def __init__(self, text, ms, url=""):
        self.text, self.ms, self.url = text, ms, url
        self.env, self.calls = {}, Calls()
        if text.startswith("{"):
            data = json.loads(text)
            self.env = data.get("env") or {}
            self.calls = calls_of(data.get("exec") or "")
        else:
            for m in re.finditer(r"\.set_env\(", text):
                try:
                    (values, _) = arguments(text, m.end())
                except (ValueError, IndexError):
                    continue
                self.env.update(values[0] if isinstance(values[0], dict)
                                else {values[0]: values[1]})
            self.calls = calls_of(text)

    def rows(self):
        """Of a list of messages: dicts of its columns, with uid, flags."""
        return [dict(a[1], uid=str(a[0]), flags=a[2]) for a in self.calls.all("add_message_row")]

    def uids(self):
        return [r["uid"] for r in self.rows()]

    def subjects(self):
        return [html.unescape(re.sub(r"<[^>]*>", "", r["subject"])) for r in self.rows()]


class Browser:
    def __init__(self, roundcube):
        self.base = roundcube.url()
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.jar))
        self.token = None

    def ask(self, query, data=None, headers=None):
        url = self.base + "?" + urllib.parse.urlencode(query, doseq=True)
        request = urllib.request.Request(url, data=data, headers=headers or {})
        started = time.monotonic()
        try:
            page = self.opener.open(request, timeout=120)
        except urllib.error.HTTPError as refused:
            page = refused  # a page like any other, with a message
        with page:
            body, where = page.read(), page.geturl()
        ms = (time.monotonic() - started) * 1000
        return body, ms, where

    def page(self, task="mail", **args):
        """A whole page, as a click on a link loads it."""
        body, ms, where = self.ask({"_task": task, **args})
        answer = Answer(body.decode(errors="replace"), ms, where)
        self.token = answer.env.get("request_token", self.token)
        return answer

    def form(self, task="mail", fields=None, **args):
        body, ms, where = self.ask({"_task": task, **args},
                                   urllib.parse.urlencode(fields or {}).encode())
        return Answer(body.decode(errors="replace"), ms, where)

    def xhr(self, action, task="mail", post=None, **args):
        """What a script of the page asks; post: the fields of a POST."""
        headers = {"X-Roundcube-Request": self.token, "X-Requested-With": "XMLHttpRequest"}
        query = {"_task": task, "_action": action}
        data = None
        if post is None:
            query.update(args, _remote=1)
        else:
            data = urllib.parse.urlencode({**post, "_remote": 1}).encode()
        body, ms, where = self.ask(query, data, headers)
        return Answer(body.decode(errors="replace"), ms, where)

    def download(self, **args):
        return self.ask({"_task": "mail", **args})[0]

    def attachment(self, mbox, uid, part):
        return self.download(_action="get", _mbox=mbox, _uid=uid, _part=part, _download=1,
                             _token=self.token)

    # ---- what a person does ---------------------------------------------------------

    def login(self, user, password, host):
        page = self.page("login")
        token = re.search(r'name="_token" value="([^"]+)"', page.text)[1]
        answer = self.form("login", {"_token": token, "_task": "login", "_action": "login",
                                     "_timezone": "Europe/Vienna", "_url": "", "_user": user,
                                     "_pass": password, "_host": host})
        self.token = answer.env.get("request_token", self.token)
        return answer

    def list(self, mbox="INBOX", page=1, sort="", **args):
        more = {"_sort": sort} if sort else {}
        return self.xhr("list", _mbox=mbox, _page=page, _refresh=1, **more, **args)

    def search(self, words, mbox="INBOX", headers="subject,from", scope="base", filter="ALL"):
        return self.xhr("search", _q=words, _headers=headers, _filter=filter, _scope=scope,
                        _mbox=mbox)

    def show(self, uid, mbox="INBOX"):
        return self.page(_action="show", _uid=uid, _mbox=mbox)

    def mark(self, uids, flag, mbox="INBOX"):
        return self.xhr("mark", post={"_uid": join(uids), "_flag": flag, "_mbox": mbox})

    def move(self, uids, target, mbox="INBOX"):
        return self.xhr("move", post={"_uid": join(uids), "_target_mbox": target, "_mbox": mbox})

    def copy(self, uids, target, mbox="INBOX"):
        return self.xhr("copy", post={"_uid": join(uids), "_target_mbox": target, "_mbox": mbox})

    def refresh(self, mbox="INBOX", uids=()):
        """What the page asks each minute; uids: those that it shows."""
        return self.xhr("refresh", post={"_mbox": mbox, "_folderlist": 1, "_list": 1, "_quota": 1,
                                         "_uids": join(uids), "_last": int(time.time()) - 60})

    def make_folder(self, name, parent=""):
        return self.form("settings", {"_token": self.token, "_name": name, "_parent": parent,
                                      "_mbox": "", "_viewmode": 0, "_framed": 1},
                         _action="save-folder", _framed=1)


def join(uids):
    return uids if isinstance(uids, str) else ",".join(str(u) for u in uids)


class Compose:
    """The window in which a message is written."""

    def __init__(self, browser, **args):
        self.b = browser
        page = browser.page(_action="compose", **args)
        self.page = page
        self.id = page.env["compose_id"] if "compose_id" in page.env else \
            urllib.parse.parse_qs(urllib.parse.urlparse(page.url).query)["_id"][0]
        self.fields = {"_token": browser.token, "_task": "mail", "_action": "send",
                       "_id": self.id, "_attachments": "", "_is_html": 0, "_framed": 1,
                       "_priority": 0, "_store_target": "Sent", "_draft_saveid": ""}
        self.fields["_from"] = re.search(
            r'<select[^>]*name="_from".*?<option value="(\d+)"', page.text, re.S)[1]
        for name in ("_to", "_cc", "_message"):
            m = re.search(rf'<textarea[^>]*name="{name}"[^>]*>(.*?)</textarea>', page.text, re.S)
            self.fields[name] = html.unescape(m[1]) if m else ""
        for name in ("_subject", "_draft_saveid"):
            m = re.search(rf'<input[^>]*name="{name}"[^>]*>', page.text)
            v = re.search(r'value="([^"]*)"', m[0]) if m else None
            self.fields[name] = html.unescape(v[1]) if v else ""

    def attach(self, name, data):
        """Uploads a file; its id."""
        line, upload = uuid.uuid4().hex, "upload%d" % int(time.time() * 1000)
        body = (f'--{line}\r\nContent-Disposition: form-data; name="_attachments[]"; '
                f'filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
                ).encode() + data + f"\r\n--{line}--\r\n".encode()
        raw, ms, where = self.b.ask(
            {"_task": "mail", "_action": "upload", "_id": self.id, "_uploadid": upload,
             "_remote": 1, "_from": "compose"}, body,
            {"Content-Type": f"multipart/form-data; boundary={line}",
             "X-Roundcube-Request": self.b.token, "X-Requested-With": "XMLHttpRequest"})
        answer = Answer(raw.decode(), ms, where)
        files = answer.calls.all("add2attachment_list")
        if files:
            ids = [i for i in self.fields["_attachments"].split(",") if i]
            self.fields["_attachments"] = ",".join(ids + [files[0][0].replace("rcmfile", "")])
        return answer

    def post(self, **more):
        return self.b.form("mail", {**self.fields, **more}, _action="send")

    def save_draft(self, **more):
        self.fields.update(more)
        answer = self.post(_draft=1, _store_target="Drafts")
        ids = answer.calls.all("set_draft_id")
        if ids:
            self.fields["_draft_saveid"] = ids[0][0]
        return answer

    def send(self, **more):
        self.fields.update(more)
        return self.post()
