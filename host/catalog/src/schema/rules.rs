//! The part of the file that holds for the connector as a whole: tags, waiting, effort, support, setup page, differences,
//! witnesses.

use super::{Kind, Table, may, must, table};

pub(super) static TAGS: Table = table(
    "How the vendor keeps tags, and how it wants their names.",
    &[
        may(
            "model",
            Kind::OneOf(&["name", "id", "list", "options", "boolean", "string", "none"]),
            "`none`",
            "Tags by name, by id, or what stands in for them: a list per tag, options of a field, a boolean property per tag, one text field.",
        ),
        may("scope", Kind::Text, "`account`", "`account`, or `picker:NAME` when tags belong to what was picked there."),
        may("max_len", Kind::Whole(1, 1000), "no limit", "Longest name, in characters."),
        may(
            "fold",
            Kind::OneOf(&["lower", "slug", "none"]),
            "`none`",
            "`lower`: lower case. `slug`: lower-case ASCII letters and digits, anything else becomes one `_`. Length and characters are held against the folded name; a tag that does not fit is left out of a sync with a warning. Folding what is sent is the connector's.",
        ),
        may("forbid", Kind::Text, "none", "Characters that a tag may not hold."),
        may("separator", Kind::Text, "none", "For `string`, and only there: what stands between tags. A tag may not hold it."),
        may("max_per_contact", Kind::Whole(1, 100_000), "no limit", "Most tags on one contact."),
        may(
            "doc",
            Kind::Text,
            "empty",
            "What stands in for tags, for the \"What syncs\" page. Needed for `list`, `options`, `boolean` and `string`.",
        ),
    ],
);

pub(super) static LATER: Table = table(
    "For a vendor that accepts work and finishes it later. first_s <= max_s <= give_up_s.",
    &[
        must("first_s", Kind::Whole(1, 3600), "Seconds before the first look."),
        must("max_s", Kind::Whole(1, 86_400), "Longest wait between two looks."),
        must("give_up_s", Kind::Whole(1, 604_800), "After this the job fails."),
    ],
);

pub(super) static SYNC: Table = table(
    "How many calls one sync makes at most: what the limiter promises a run until runs have shown what they use.",
    &[
        may("new", Kind::Whole(1, 32), "3", "For a new contact, ids cached."),
        may("existing", Kind::Whole(1, 32), "3", "For an existing one."),
        may("concurrency", Kind::Whole(1, 64), "4", "Jobs of one connection that may run at once."),
    ],
);

pub(super) static SUPPORTS: Table = table(
    "Which exports the host may call; `verify` and `sync-contact` are never optional. Each needs a call of its stage, and a call of an unsupported stage is refused.",
    &[
        may("prepare", Kind::Flag, "false", "`prepare`"),
        may("untag", Kind::Flag, "false", "`untag-contact`"),
        may("lookup", Kind::Flag, "false", "`lookup-contact`"),
        may("settle_s", Kind::Whole(0, 86_400), "0", "Seconds before a lookup may say \"missing\"."),
        may("email_change", Kind::Flag, "false", "Moves the contact when its e-mail changes."),
        may(
            "person",
            Kind::SomeOf(&["first", "last", "full", "company", "consent", "fields"]),
            "none",
            "What it uses of a person besides the e-mail.",
        ),
    ],
);

pub(super) static SETUP: Table = table(
    "The merchant's setup page.",
    &[
        must("key_location", Kind::Texts, "Steps to the key, in order; not empty."),
        may("troubleshooting", Kind::Tables(&TROUBLE), "none", ""),
        must("disconnect", Kind::Text, "What disconnecting does and does not do."),
    ],
);

static TROUBLE: Table = table(
    "One usual trouble.",
    &[must("symptom", Kind::Text, "What the merchant sees."), must("cause", Kind::Text, "Why."), must("fix", Kind::Text, "What to do.")],
);

pub(super) static DIFFERENCE: Table = table(
    "Where the brief and the vendor's newest official source disagree.",
    &[
        must("brief", Kind::Text, "What the brief says."),
        must("vendor", Kind::Text, "What the vendor says."),
        must("followed", Kind::Text, "Which was followed, and why."),
        must("source", Kind::Text, "Where the vendor says so."),
    ],
);

pub(super) static WITNESS: Table = table(
    "Whose word, besides the fixtures, stands for the requests: a test compares what a witness sends or demands with what the fixtures expect.",
    &[
        must(
            "kind",
            Kind::OneOf(&["description", "sdk", "software"]),
            "The vendor's own API description, the vendor's client library, or the vendor's software itself.",
        ),
        must("name", Kind::Text, "The package or file, and its version: `@acme/client 1.2.3`."),
        must("calls", Kind::Texts, "The calls whose requests it was compared with; not empty."),
        may(
            "explained",
            Kind::TextMap,
            "none",
            "`CALL: WHERE` -> why it differs there, such as `\"save: body /skip\"`. Every difference must be explained, and every explanation needed.",
        ),
    ],
);
