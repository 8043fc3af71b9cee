//! `[[auth]]`: common keys, and the keys of each `type`.

use super::{Kind, Table, Variant, may, must};

pub(super) static AUTH: Table = Table {
    doc: "How a request is authenticated, as data. Egress applies it last. In a *template*, `{slot}` stands for a credential, a split part or a derived part; where a key asks for a *slot*, write its bare name.",
    keys: &[
        must("name", Kind::Text, "A *name*. Entries may share it when their `mode` differs: the connection's mode decides."),
        may("mode", Kind::Text, "the only one", "The credential mode this belongs to."),
        must(
            "type",
            Kind::OneOf(&["header", "basic", "bearer", "query", "body", "oauth2", "jwt", "signature"]),
            "Decides which further keys exist.",
        ),
    ],
    variants: &[
        Variant {
            name: "header",
            doc: "One or several request headers.",
            keys: &[must("headers", Kind::TextMap, "Header name -> template, for example `Acme-Key {key}`. At least one slot in all.")],
        },
        Variant {
            name: "basic",
            doc: "HTTP Basic.",
            keys: &[
                must("user", Kind::Text, "Template; may be constant or empty."),
                must("password", Kind::Text, "Template; may be constant or empty. At least one slot in the two."),
            ],
        },
        Variant {
            name: "bearer",
            doc: "`Authorization: Bearer ...`.",
            keys: &[must("token", Kind::Text, "Template with at least one slot.")],
        },
        Variant {
            name: "query",
            doc: "Query parameters. Every URL that is shown, logged or journalled keeps the template.",
            keys: &[must("params", Kind::TextMap, "Parameter -> template. At least one slot in all.")],
        },
        Variant {
            name: "body",
            doc: "Fields added to the JSON or form body.",
            keys: &[must("fields", Kind::TextMap, "Top-level field -> template. No call may write or fix such a field.")],
        },
        Variant {
            name: "oauth2",
            doc: "OAuth 2. The host fetches, keeps and refreshes the token; one refresher per credential; a rotated token is saved before its first use.",
            keys: &[
                must("grant", Kind::OneOf(&["code", "refresh_token", "client_credentials"]), "How the first token is had."),
                must("token_endpoint", Kind::Text, "Name of an endpoint without `auth` of its own."),
                must("token_path", Kind::Text, "Path below it, begins with `/`."),
                may(
                    "authorize_url",
                    Kind::Text,
                    "none",
                    "Needed for, and only for, `code`: an `https://` address; may bring constant query parameters (`?prompt=consent`).",
                ),
                may(
                    "pkce",
                    Kind::Flag,
                    "false",
                    "Only for `code`: the code is bound to the host with S256. Some vendors refuse it from a client that has a secret.",
                ),
                may(
                    "scopes",
                    Kind::Texts,
                    "none",
                    "Asked for at authorisation, and with `client_credentials`; sent with blanks between them.",
                ),
                may("client_auth", Kind::OneOf(&["basic", "form"]), "`basic`", "How the client proves itself at the token endpoint."),
                must("client_id", Kind::Text, "Slot."),
                may("client_secret", Kind::Text, "none", "Slot. Needed for `client_credentials`."),
                may("refresh_token", Kind::Text, "none", "Slot. Needed for, and only for, `refresh_token`."),
                may("prefix", Kind::Text, "`Bearer`", "The word before the token in `Authorization`."),
                may("rotates", Kind::Flag, "false", "The refresh token changes with each use."),
                may("lifetime_s", Kind::Whole(30, 31_536_000), "the answer's `expires_in`", "Used when the answer states no lifetime."),
                may(
                    "base_from",
                    Kind::Text,
                    "none",
                    "JSON key of the token answer that names the API's base URL, for an endpoint with `url = \"{token.base}\"`.",
                ),
                may(
                    "revoke_path",
                    Kind::Text,
                    "none",
                    "Path below the token endpoint that ends a token (RFC 7009); called once at disconnect.",
                ),
                may(
                    "token_params",
                    Kind::TextMap,
                    "none",
                    "Further form fields of the token request: name -> template. Only for `client_credentials`.",
                ),
                may(
                    "limits",
                    Kind::Texts,
                    "none",
                    "The `[[limits]]` that each call to the token endpoint draws on, such as ten tokens in ten minutes. Scope `connection` for a limit of each grant, `credential` for one of each typed client, `app` for one of the client whoever connects with it.",
                ),
            ],
        },
        Variant {
            name: "jwt",
            doc: "A signed token made afresh for each request.",
            keys: &[
                must("alg", Kind::OneOf(&["HS256"]), "The signature."),
                must("key", Kind::Text, "Slot of the key."),
                may("key_encoding", Kind::OneOf(&["text", "hex", "base64"]), "`text`", "How the key is written."),
                may("kid", Kind::Text, "none", "Template of the key id in the token's header."),
                may("aud", Kind::Text, "none", "Template of the audience."),
                must("ttl_s", Kind::Whole(1, 3600), "Seconds that a token is good for."),
                may("prefix", Kind::Text, "`Bearer`", "The word before the token in `Authorization`."),
            ],
        },
        Variant {
            name: "signature",
            doc: "A signature over the parameters..",
            keys: &[
                must(
                    "kind",
                    Kind::OneOf(&["md5-sorted-values"]),
                    "MD5, as hex, of the secret followed by all parameter values in byte order.",
                ),
                must("key", Kind::Text, "Slot."),
                must("secret", Kind::Text, "Slot."),
                must("key_param", Kind::Text, "Name of the key's parameter on the wire."),
                must("signature_param", Kind::Text, "Name of the signature's parameter on the wire."),
                may("constants", Kind::TextMap, "none", "Constant parameters that are signed too."),
                may("json_param", Kind::Text, "none", "The guest's JSON body becomes this one parameter."),
            ],
        },
    ],
};
