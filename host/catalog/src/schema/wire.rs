//! The part of the file that is law on the wire: endpoints, limits, calls.

use super::{Kind, Table, may, must, table};

const STAGES: &[&str] = &["verify", "pick", "prepare", "sync", "untag", "lookup"];

pub(super) static ENDPOINT: Table = table(
    "Where requests may go.",
    &[
        must("name", Kind::Text, "A *name*, unique among endpoints. The usual one is `api`."),
        must(
            "url",
            Kind::Text,
            "`https://host[:port][/path]`, lower case, no trailing `/`, never an IP address. Its host may hold `{choice}`, `{derived:NAME}` or `{credential:NAME}` (not secret, with `pattern`); or the whole is `{token.base}`. `http://` only for loopback in the author's commands.",
        ),
        may("auth", Kind::Text, "none", "An `[[auth]]`."),
        may("headers", Kind::TextMap, "none", "Constant headers on every call, such as a pinned version."),
        may("choices", Kind::TextMap, "none", "Choice -> what stands for `{choice}` in the URL."),
        may(
            "choose",
            Kind::Text,
            "none",
            "Needed with `choices`: `setting:NAME` (a setting of kind `choice` with the same choices) or `verify` (the verify call finds it).",
        ),
        may(
            "allow",
            Kind::Texts,
            "none",
            "Needed for a computed host (`{derived:..}`, `{credential:..}`, `{token.base}`): exact hosts, or `*.` and a fixed suffix of two labels or more; `*` stands for exactly one label.",
        ),
        may("public_host", Kind::Flag, "false", "Instead of `allow`, with `{credential:..}`: the merchant may type any public host."),
        may("keep_path", Kind::Flag, "false", "With `{credential:..}`: keep the path that the merchant typed with the host."),
    ],
);

pub(super) static LIMIT: Table = table(
    "A limit of the vendor. A call names those it draws on.",
    &[
        must("name", Kind::Text, "A *name*, unique among limits."),
        may(
            "scope",
            Kind::OneOf(&["connection", "account", "credential", "app", "host-ip"]),
            "`connection`",
            "Who shares it. `account` = connections whose verify returned the same account id; `credential` = connections with equal credentials; `app` = all merchants of the connector, or with OAuth all who connect with the same client id.",
        ),
        may(
            "requests",
            Kind::Whole(1, 1_000_000_000),
            "none",
            "At most so many requests (or cost units) in `per_s` seconds. Both or neither.",
        ),
        may("per_s", Kind::Whole(1, 2_678_400), "none", "The window."),
        may(
            "reset",
            Kind::OneOf(&["rolling", "utc", "account-midnight"]),
            "`rolling`",
            "When the window starts anew; the last two only with `per_s = 86400`. `account-midnight` is midnight where the account is, which the host cannot know: it counts the last 24 hours, which is safe for any midnight, until a header shows that the vendor began to count anew.",
        ),
        may("concurrency", Kind::Whole(1, 1000), "none", "At most so many at once. A limit has this, a window, or both."),
        may(
            "counts",
            Kind::OneOf(&["requests", "cost", "bad-requests"]),
            "`requests`",
            "What is counted: requests, the calls' `cost`, or answers that were not good.",
        ),
        may("headers", Kind::Table(&LIMIT_HEADERS), "none", ""),
        may("source", Kind::Text, "empty", "Where the figure is from."),
    ],
);

static LIMIT_HEADERS: Table = table(
    "Response headers from which the limiter learns. At least one.",
    &[
        may("limit", Kind::Text, "none", "The size of the window."),
        may("remaining", Kind::Text, "none", "What is left of it."),
        may("reset", Kind::Text, "none", "When it starts anew."),
        may(
            "unit",
            Kind::OneOf(&["s", "ms", "epoch", "auto", "date", "text", "structured", "n-of-m"]),
            "`s`",
            "How `reset` is written: seconds, milliseconds, Unix time, whichever of these the size suggests, an HTTP date, words, a structured list, or `n/m` used of all.",
        ),
    ],
);

pub(super) static CALL: Table = table(
    "One HTTP request that the connector may make. Whatever is not declared here is refused.",
    &[
        must("name", Kind::Text, "A *name*, unique among calls; what the guest asks for."),
        must("doc", Kind::Text, "What the call does, in the merchant's words: the \"What syncs\" page shows it."),
        may("source", Kind::Text, "empty", "The vendor's page about it."),
        must("stages", Kind::SomeOf(STAGES), "Whose functions may use it; not empty. `verify`, `pick` and `lookup` calls are reads."),
        may("endpoint", Kind::Text, "`api`", "An `[[endpoints]]`."),
        must(
            "method",
            Kind::OneOf(&["GET", "POST", "PUT", "PATCH", "DELETE"]),
            "`GET` has no body and is a read; `PUT`, `PATCH` and `DELETE` are no reads.",
        ),
        must(
            "path",
            Kind::Text,
            "Template below the endpoint's URL, `/contacts/{id}/tags`. A `{name}` is filled by the guest and encoded as one segment. No `..`, no `//`, no query.",
        ),
        must(
            "effect",
            Kind::OneOf(&["read", "idempotent", "write"]),
            "`read` changes nothing. `idempotent` may be repeated. `write` may not: it is announced durably before it is sent.",
        ),
        may("slash_in", Kind::Texts, "none", "Path parameters in which `/` may occur; it is then encoded."),
        may("query", Kind::Texts, "none", "Query keys that the guest may use."),
        may("fixed_query", Kind::TextMap, "none", "Query keys that the host adds; the guest cannot change them."),
        may(
            "headers",
            Kind::Texts,
            "none",
            "Request headers that the guest may set. None that frames or authenticates a request, and none of the endpoint's.",
        ),
        may(
            "body",
            Kind::OneOf(&["none", "json", "form", "bytes"]),
            "`none`",
            "`bytes` cannot be checked: a call that is no read must then say `writes = [\"/**\"]`.",
        ),
        may(
            "content_type",
            Kind::Text,
            "what `body` implies",
            "For `json`: `application/json` or `application/...+json`. Needed for `bytes`.",
        ),
        may("writes", Kind::Texts, "none", "Body fields that the guest may write; see chapter 2.3."),
        may("fixed", Kind::ValueMap, "none", "Constants that the host sets in the body; see chapter 2.3."),
        may(
            "guard",
            Kind::Text,
            "none",
            "A read of the same stages that must have been answered freshly, in this run, before this call leaves.",
        ),
        may(
            "new_only",
            Kind::Texts,
            "none",
            "Entries of `writes` that are refused when the guard found someone. Needs `guard`; and any other call that writes such a field needs a guard as well.",
        ),
        may(
            "never",
            Kind::Texts,
            "none",
            "Fields that are never sent although an entry of `writes` covers them, for vendors whose own fields and the merchant's stand side by side. Keys are compared without case.",
        ),
        may("found", Kind::Table(&FOUND), "none", ""),
        may(
            "alters",
            Kind::OneOf(&["contact", "account"]),
            "not said",
            "What it changes: one contact, or something that the whole account shares. Not for reads.",
        ),
        may("exclusive", Kind::OneOf(&["contact", "account"]), "not exclusive", "One at a time per contact, or per account."),
        may(
            "fresh_s",
            Kind::Whole(1, 3600),
            "never reused",
            "Only for reads: a recorded answer may be reused on resume for so many seconds.",
        ),
        may("ok", Kind::Wholes(100, 499), "none", "Statuses besides 2xx that count as good. Not 401 and not 429."),
        may("limits", Kind::Texts, "none", "The `[[limits]]` that it draws on."),
        may("cost", Kind::Whole(1, 100_000), "1", "Units drawn from limits with `counts = \"cost\"`."),
        may("read_headers", Kind::Texts, "none", "Response headers that the guest may read. Never `set-cookie`."),
        may("redact", Kind::Texts, "none", "JSON pointers (`*` = any key or index) blanked in the journal: secrets that the vendor makes."),
        may("timeout_s", Kind::Whole(1, 60), "20", "Seconds for the whole exchange."),
        may("max_kib", Kind::Whole(1, 8192), "1024", "The largest answer, decompressed, in KiB."),
        may("starts_automations", Kind::Flag, "false", "It may set off e-mails or workflows of the merchant. Not for reads."),
        may("sample", Kind::Table(&SAMPLE), "none", ""),
    ],
);

static FOUND: Table = table(
    "For a guard: when its answer means \"there is someone\".",
    &[
        may("status", Kind::Wholes(100, 599), "200", "One of these statuses."),
        may("pointer", Kind::Text, "the status decides", "JSON pointer that must be there and be neither null nor empty."),
    ],
);

static SAMPLE: Table = table(
    "The answer that a preview gives in the vendor's stead. Needed on every `sync` and `untag` call.",
    &[
        may("status", Kind::Whole(100, 599), "200", "The status."),
        may("headers", Kind::TextMap, "none", "Response headers."),
        may("body", Kind::Text, "empty", "JSON, unless `headers` name another content type."),
    ],
);
