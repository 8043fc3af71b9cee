//! The OpenAPI 3.1 document: written by the routes themselves, completed here with what all of them share. Completed as JSON, because
//! much of what is added (shared headers, examples by the name of a parameter) stands across the places that the builders know.

mod answers;
mod parameters;
mod properties;
mod tags;

use serde_json::{Value, json};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, SecurityRequirement};
use utoipa::{PartialSchema, ToSchema};

use crate::problem::{FieldProblem, ProblemBody, VendorProblem};
use crate::{ApiState, App, Limits, routes};

const KEY: &str = "api_key";
const OPERATOR_KEY: &str = "operator_key";
const DESCRIPTION: &str = "\
Brings approved affiliates into merchants' CRMs and e-mail tools.

- **Keys.** `Authorization: Bearer rk_live_...`. A key with the scope `read` may only read.
- **Errors** are `application/problem+json` with a stable `code`; decide by it. Every answer has an `x-request-id`.
- **Lists** are `{data, next_cursor, has_more}`. Hand `next_cursor` back as `cursor`.
- **Every POST** takes an `Idempotency-Key`, and has one effect however often it is sent within 24 hours.
- **Settings** carry an `ETag`; `If-Match` guards against lost updates.
- **Limits.** Answers to a key say in `RateLimit` how much it may still ask for; 429 says in `Retry-After` when to go on.";

/// The beginning of the document: title, key, shared schemas.
pub(crate) fn base() -> OpenApi {
    let mut components = ComponentsBuilder::new()
        .security_scheme(KEY, SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("rk_live_...").build()))
        .security_scheme(
            OPERATOR_KEY,
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("rk_op_...").build()),
        );
    for (name, schema) in [
        (ProblemBody::name(), ProblemBody::schema()),
        (FieldProblem::name(), FieldProblem::schema()),
        (VendorProblem::name(), VendorProblem::schema()),
    ] {
        components = components.schema(name, schema);
    }
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title("CRM connector host").version("1").description(Some(DESCRIPTION)).build())
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new(KEY, Vec::<String>::new())]))
        .build()
}

/// The whole document, for tools that need no server.
pub fn document(state: ApiState) -> Value {
    let app = App { state, limits: Limits::default() };
    completed(routes::all(&app).into_openapi())
}

/// Adds what every route shares: the problems and headers that it can answer, the schemas of parameters, the words about tags.
pub(crate) fn completed(document: OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    document["tags"] = tags::described();
    document["components"]["headers"] = answers::headers();
    document["components"]["responses"] = answers::problems();
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        properties::complete(schemas);
    }
    let schemas = document["components"]["schemas"].clone();
    let Some(paths) = document["paths"].as_object_mut() else { return document };
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            let method = Verb { path, method, schemas: &schemas };
            parameters::complete(&method, operation);
            answers::complete(&method, operation);
        }
    }
    document
}

/// Which operation is being completed.
pub(crate) struct Verb<'a> {
    path: &'a str,
    method: &'a str,
    /// The document's.
    schemas: &'a Value,
}

impl Verb<'_> {
    fn posts(&self) -> bool {
        self.method == "post"
    }

    /// Whether a body has a property of one of these names at its top.
    fn body_names(&self, operation: &Value, names: &[&str]) -> bool {
        let content = operation["requestBody"]["content"].as_object().into_iter().flat_map(|content| content.values());
        content.map(|kind| &kind["schema"]).any(|schema| self.has_property(schema, names))
    }

    fn has_property(&self, schema: &Value, names: &[&str]) -> bool {
        let referred = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()).map(|name| &self.schemas[name]);
        let parts = ["oneOf", "anyOf", "allOf"].iter().flat_map(|word| schema[word].as_array().into_iter().flatten());
        names.iter().any(|name| schema["properties"].get(name).is_some())
            || referred.into_iter().chain(parts).any(|s| self.has_property(s, names))
    }

    fn writes(&self) -> bool {
        self.method != "get"
    }
}

/// Whether a key is needed: all routes but those that say so with `security(())`.
fn keyed(operation: &Value) -> bool {
    operation["security"] != json!([{}])
}

/// Whether the operation has a parameter of this name there.
fn has_parameter(operation: &Value, place: &str, name: &str) -> bool {
    let mut all = operation["parameters"].as_array().into_iter().flatten();
    all.any(|p| p["in"] == place && p["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)))
}
