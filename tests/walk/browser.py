"""A browser without JavaScript, as far as forms need one: fetches a page, reads its forms, fills the fields that a person sees, obeys the
constraints that HTML states, and sends what a browser would send. Keeps cookies, follows redirects.
"""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Dict, List, Mapping, Optional
from urllib.parse import urlencode, urljoin, urlsplit

from wire import exchange

REDIRECTS = (301, 302, 303, 307, 308)
# What a person cannot type into.
NOT_TYPED = ("hidden", "submit", "button", "image", "reset", "checkbox", "radio")
EMAIL = re.compile(r"^[^@\s]+@[^@\s]+$")


@dataclass
class Field:
    """One control of a form."""

    name: str
    kind: str
    attributes: Dict[str, Optional[str]]
    value: str
    # For boxes: ticked or not.
    on: bool = True
    label: str = ""
    # Below something that is hidden from people.
    unseen: bool = False

    @property
    def typed(self) -> bool:
        return self.kind not in NOT_TYPED

    def complaint(self) -> Optional[str]:
        """What a browser would say instead of sending."""
        if self.kind in ("checkbox", "radio"):
            return "must be ticked" if "required" in self.attributes and not self.on else None
        if not self.value:
            return "must be filled" if "required" in self.attributes and self.typed else None
        if self.kind == "email" and not EMAIL.match(self.value):
            return "is no e-mail address"
        pattern = self.attributes.get("pattern")
        if pattern and not re.fullmatch(pattern, self.value):
            return f"does not match {pattern}"
        longest = self.attributes.get("maxlength")
        return f"is longer than {longest}" if longest and len(self.value) > int(longest) else None


@dataclass
class Form:
    action: str
    method: str
    kind: str
    fields: List[Field] = field(default_factory=list)

    def seen(self) -> List[Field]:
        """What a person can see."""
        return [f for f in self.fields if not f.unseen and f.kind not in ("hidden", "submit", "button")]

    def by_label(self, words: str) -> Field:
        """The visible field whose label holds these words."""
        found = [f for f in self.seen() if re.search(words, f.label, re.IGNORECASE)]
        if len(found) != 1:
            labels = ", ".join(f"{f.name}: {f.label!r}" for f in self.seen())
            raise AssertionError(f"{len(found)} fields are labelled {words!r}; there are {labels}")
        return found[0]

    def fill(self, values: Mapping[str, Any]) -> "Form":
        """By label. True ticks a box."""
        for words, value in values.items():
            control = self.by_label(words)
            if control.kind in ("checkbox", "radio"):
                control.on = bool(value)
            else:
                control.value = str(value)
        return self

    def complaints(self) -> Dict[str, str]:
        said = {f.name: f.complaint() for f in self.fields}
        return {name: words for name, words in said.items() if words}

    def pairs(self) -> List[Any]:
        """What is sent, in the page's order."""
        boxes = ("checkbox", "radio")
        sent = [f for f in self.fields if f.name and f.kind not in ("submit", "button", "image", "reset")]
        return [(f.name, f.value) for f in sent if f.kind not in boxes or f.on]


@dataclass
class Page:
    url: str
    status: int
    headers: Any
    html: str
    # What is to be read on it, blanks folded.
    text: str
    forms: List[Form]

    @property
    def form(self) -> Form:
        posts = [f for f in self.forms if f.method == "post"]
        if len(posts) != 1:
            raise AssertionError(f"{self.url} ({self.status}) has {len(posts)} forms to fill in, not one: {self.text[:500]}")
        return posts[0]


class Browser:
    """One person's browser."""

    def __init__(self) -> None:
        self.cookies: Dict[str, str] = {}

    def open(self, url: str) -> Page:
        return self._go("GET", url, None, {"sec-fetch-site": "none"})

    def submit(self, page: Page, form: Form, despite: bool = False) -> Page:
        """Sends a form, unless a browser would not. `despite`: as a program that pays no heed to what HTML asks for."""
        complaints = form.complaints()
        if complaints and not despite:
            raise AssertionError(f"a browser would not send this form: {complaints}")
        if form.kind != "application/x-www-form-urlencoded":
            raise AssertionError(f"this browser does not send {form.kind}")
        url, parts = urljoin(page.url, form.action), urlsplit(page.url)
        headers = {"origin": f"{parts.scheme}://{parts.netloc}", "sec-fetch-site": "same-origin", "content-type": form.kind}
        return self._go(form.method.upper(), url, urlencode(form.pairs()).encode(), headers)

    def _go(self, method: str, url: str, body: Optional[bytes], headers: Dict[str, str]) -> Page:
        for _ in range(10):
            sent = {"accept": "text/html,application/xhtml+xml", "accept-language": "en", "sec-fetch-mode": "navigate", **headers}
            if self.cookies:
                sent["cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
            answer = exchange(method, url, sent, body)
            for cookie in answer.headers.get_all("set-cookie") or []:
                name, _, value = cookie.split(";")[0].partition("=")
                self.cookies[name.strip()] = value.strip()
            if answer.status not in REDIRECTS:
                if answer.kind != "text/html":
                    raise AssertionError(f"{method} {url} answered {answer.status} {answer.kind}, not a page: {answer.text[:500]}")
                reader = Reader()
                reader.feed(answer.text)
                reader.close()
                return Page(url, answer.status, answer.headers, answer.text, reader.said(), reader.labelled())
            url = urljoin(url, answer.header("location"))
            if answer.status not in (307, 308):
                method, body = "GET", None
                headers = {k: v for k, v in headers.items() if k not in ("content-type", "origin")}
        raise AssertionError(f"{url} redirects without end")


class Reader(HTMLParser):
    """Forms, labels and words of a page."""

    VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: List[Form] = []
        self.words: List[str] = []
        # Of open elements: tag, whether it is hidden from people.
        self.open: List[Any] = []
        self.labels: Dict[str, str] = {}
        # Labels that are open: id they are for, words, fields inside.
        self.label: Optional[Any] = None
        self.area: Optional[Field] = None
        self.choice: Optional[Field] = None

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        at = dict(attrs)
        hidden = "hidden" in at or at.get("aria-hidden") == "true" or "display:none" in (at.get("style") or "").replace(" ", "")
        if tag not in self.VOID:
            self.open.append((tag, hidden))
        unseen = hidden or any(h for _, h in self.open)
        if tag == "form":
            kind = at.get("enctype") or "application/x-www-form-urlencoded"
            self.forms.append(Form(at.get("action") or "", (at.get("method") or "get").lower(), kind))
        elif tag == "label":
            self.label = (at.get("for"), [], [])
        elif tag in ("input", "textarea", "select", "button") and self.forms:
            kind = tag if tag in ("textarea", "select") else (at.get("type") or ("submit" if tag == "button" else "text")).lower()
            box = kind in ("checkbox", "radio")
            control = Field(at.get("name") or "", kind, at, at.get("value") or ("on" if box else ""), "checked" in at or not box, unseen=unseen)
            self.forms[-1].fields.append(control)
            if self.label is not None:
                self.label[2].append(control)
            self.area = control if tag == "textarea" else self.area
            self.choice = control if tag == "select" else self.choice
        elif tag == "option" and self.choice is not None and ("selected" in at or not self.choice.value):
            self.choice.value = at.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "label" and self.label is not None:
            target, words, inside = self.label
            said = " ".join("".join(words).split())
            if target:
                self.labels[target] = said
            for control in inside:
                control.label = said
            self.label = None
        self.area = None if tag == "textarea" else self.area
        self.choice = None if tag == "select" else self.choice
        while self.open and any(t == tag for t, _ in self.open):
            if self.open.pop()[0] == tag:
                break

    def handle_data(self, data: str) -> None:
        if self.area is not None:
            self.area.value += data.lstrip("\n") if not self.area.value else data
        elif any(tag in ("script", "style", "title") or hidden for tag, hidden in self.open):
            return
        else:
            self.words.append(data)
            if self.label is not None:
                self.label[1].append(data)

    def said(self) -> str:
        return " ".join(" ".join(self.words).split())

    def labelled(self) -> List[Form]:
        for form in self.forms:
            for control in form.fields:
                control.label = control.label or self.labels.get(control.attributes.get("id") or "", "")
        return self.forms
