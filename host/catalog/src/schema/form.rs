//! The part of the file that merchants see: identity, credential fields, settings, pickers, derived parts.

use super::{Kind, Table, may, must, table};

pub(super) static CONNECTOR: Table = table(
    "Who the connector is.",
    &[
        must(
            "slug",
            Kind::Text,
            "Lower-case letters and digits in words joined by `-`, at most 40. Frozen for ever: it names the folder, the file and the API's path.",
        ),
        must("name", Kind::Text, "The vendor's name as merchants know it, at most 60 characters."),
        must("version", Kind::Text, "`MAJOR.MINOR.PATCH`, optionally `-pre.1`."),
        must("category", Kind::Text, "One or two words for the directory, at most 40 characters."),
        must("pitch", Kind::Text, "One line for the directory, at most 160 characters."),
        must("docs", Kind::Text, "The vendor's API documentation, an `https://` address."),
        may("authors", Kind::Texts, "none", "Who answers for the connector."),
    ],
);

pub(super) static CREDENTIAL: Table = table(
    "One field of the connect form.",
    &[
        must("name", Kind::Text, "The slot's name (a *name*, see 2.1), unique among credentials, split parts, derived parts and settings."),
        must("label", Kind::Text, "As the vendor's own screen calls it."),
        must("help", Kind::Text, "Where the merchant finds it."),
        may("placeholder", Kind::Text, "empty", "An example of the form, never a real value."),
        may(
            "pattern",
            Kind::Text,
            "any value",
            "Anchored regex (`^...$`) that the tidied value must match. Needed when an endpoint's URL uses the value.",
        ),
        may(
            "secret",
            Kind::Flag,
            "true",
            "`false`: not secret; the guest sees it among its settings, and a URL may hold it. A secret that no `[[auth]]` uses is refused: do not ask for what you do not need.",
        ),
        may(
            "owner",
            Kind::OneOf(&["merchant", "operator", "either"]),
            "`merchant`",
            "Who sets it: the merchant in the form; the operator of the host for all merchants (`--operator-credentials`), such as an application's own client; or `either`: the operator's values are used unless the merchant types own ones, then all such fields must be the merchant's.",
        ),
        may("modes", Kind::Texts, "all modes", "Only asked for in these modes; each is the `mode` of an `[[auth]]`."),
        may("optional", Kind::Flag, "false", "May be left empty."),
        may("hints", Kind::Tables(&HINT), "none", ""),
        may("tidy", Kind::Texts, "nothing", "`trim`, `lower` or `strip:SUFFIX`, applied in this order before anything else."),
        may(
            "missing",
            Kind::Text,
            "a general sentence",
            "Said when the field is left empty, for example \"missing X-Key header: enter your API key ...\".",
        ),
        may("split", Kind::Table(&SPLIT), "not split", ""),
        may(
            "idle_days",
            Kind::Whole(1, 3650),
            "never dies",
            "The key dies after this many days without use: the host verifies it in time.",
        ),
        may("ask_end_date", Kind::Flag, "false", "Ask the merchant when the key ends, and warn before that."),
    ],
);

static HINT: Table = table(
    "Says something helpful when the value looks like a usual wrong paste.",
    &[must("match", Kind::Text, "Regex; need not be anchored."), must("say", Kind::Text, "What the merchant reads.")],
);

static SPLIT: Table = table(
    "Cuts one pasted secret into named parts, all secret.",
    &[
        must("on", Kind::Text, "The separator; the value is cut at its first occurrences into exactly as many parts as `into` names."),
        must("into", Kind::Texts, "Two or more slot names."),
    ],
);

pub(super) static SETTING: Table = table(
    "What the merchant chooses besides destinations. The guest reads it by name.",
    &[
        must("name", Kind::Text, "A *name*, unique among settings and slots."),
        must("label", Kind::Text, "What the merchant reads."),
        may("help", Kind::Text, "empty", "One or two sentences."),
        must("kind", Kind::OneOf(&["text", "bool", "choice", "picker"]), "`picker`: the value is chosen from the picker of the same name."),
        may(
            "default",
            Kind::Text,
            "empty",
            "Must itself be acceptable: `true` or `false` for `bool`, one of `choices`, a match of `pattern`.",
        ),
        may("choices", Kind::Texts, "none", "Only and always for `kind = \"choice\"`."),
        may("pattern", Kind::Text, "any value", "Only for `kind = \"text\"`; anchored regex."),
        may("when", Kind::TextMap, "always shown", "Setting -> value: shown only when each named setting has this value. No circles."),
        may(
            "consent_text",
            Kind::Text,
            "none",
            "What the merchant confirms before it takes effect, for settings that touch subscriptions.",
        ),
    ],
);

pub(super) static PICKER: Table = table(
    "Something the merchant picks in the vendor: list, audience, tag, field. Filled by `list-choices` through `pick` calls.",
    &[
        must("name", Kind::Text, "A *name*, unique among pickers."),
        must("label", Kind::Text, "What the merchant reads."),
        may("help", Kind::Text, "empty", "One or two sentences."),
        may("required", Kind::Flag, "false", "The connection cannot sync before something is picked."),
        may("depends_on", Kind::Text, "nothing", "Another picker that must be picked first. No circles."),
        may("static", Kind::Tables(&STATIC), "none", ""),
        may("typed", Kind::Flag, "false", "The merchant types the id instead of picking it."),
        may("locked", Kind::Flag, "false", "Cannot change while connected."),
        may("searchable", Kind::Flag, "false", "`list-choices` understands `search`."),
    ],
);

static STATIC: Table = table(
    "A choice known without asking the vendor.",
    &[must("id", Kind::Text, "Unique within the picker."), must("name", Kind::Text, "What the merchant reads.")],
);

pub(super) static DERIVED: Table = table(
    "A part cut from a secret that is itself no secret, such as the data centre at a key's end.",
    &[
        must("name", Kind::Text, "A *name*, unique among slots and settings."),
        must("from", Kind::Text, "A secret credential or split part."),
        must(
            "capture",
            Kind::Text,
            "Regex with exactly one capture group, anchored at one end at least, and with at least one character outside the group, so that the whole secret can never leave.",
        ),
    ],
);
