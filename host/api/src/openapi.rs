//! The OpenAPI 3.1 document: written by the routes themselves, completed here with what all of them share.

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, Required, ResponseBuilder,
    SecurityRequirement,
};
use utoipa::{PartialSchema, ToSchema};

use crate::problem::{FieldProblem, ProblemBody, VendorProblem};
use crate::{ApiState, App, IMPORT_PATH, Limits, routes};

const KEY: &str = "api_key";

/// The beginning of the document: title, key, shared schemas.
pub(crate) fn base() -> OpenApi {
    let mut components = ComponentsBuilder::new()
        .security_scheme(KEY, SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("rk_live_...").build()));
    for (name, schema) in [
        (ProblemBody::name(), ProblemBody::schema()),
        (FieldProblem::name(), FieldProblem::schema()),
        (VendorProblem::name(), VendorProblem::schema()),
    ] {
        components = components.schema(name, schema);
    }
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("CRM connector host")
                .version("1")
                .description(Some(
                    "Brings approved affiliates into merchants' CRMs. Conventions: every error is problem+json with a stable code.",
                ))
                .build(),
        )
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new(KEY, Vec::<String>::new())]))
        .build()
}

/// The whole document, for tools that need no server.
pub fn document(state: ApiState) -> OpenApi {
    let app = App { state, limits: Limits::default() };
    completed(routes::all(&app).into_openapi())
}

/// Adds the problems that every route can answer, and the header that POSTs take.
pub(crate) fn completed(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let PathItem { get, post, patch, delete, .. } = item;
        for (operation, writes) in [(get, false), (post, true), (patch, true), (delete, true)] {
            let Some(operation) = operation else { continue };
            complete(operation, writes);
        }
        // Imports stream, and tell rows apart by e-mail.
        if let Some(post) = item.post.as_mut().filter(|_| path != IMPORT_PATH) {
            let header = ParameterBuilder::new()
                .name("idempotency-key")
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(
                    "Any text of at most 255 characters. Within 24 hours the same request is answered from the first one's answer.",
                ))
                .schema(Some(String::schema()))
                .build();
            post.parameters.get_or_insert_default().push(RefOr::T(header));
        }
    }
    document
}

fn complete(operation: &mut Operation, writes: bool) {
    // The format asks for words here; the routes' own summary says it best.
    let summary = operation.summary.clone().unwrap_or_else(|| "Done".to_owned());
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description.clone_from(&summary);
        }
    }
    let mut statuses = vec![
        ("400", "The request cannot be read"),
        ("401", "No valid API key"),
        ("404", "Nothing here, or not yours"),
        ("408", "The request took too long to arrive"),
        ("409", "The state of things forbids it"),
        ("422", "Some fields are not acceptable, or the vendor refused them"),
        ("500", "Our fault"),
        ("502", "The vendor or its connector failed"),
        ("503", "Try again later"),
    ];
    if writes {
        statuses.extend([
            ("403", "The key may only read"),
            ("412", "It was changed since it was read"),
            ("413", "The body is too large"),
            ("415", "The content type is not accepted"),
            ("507", "The disk is nearly full"),
        ]);
    }
    for (status, description) in statuses {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).build();
        let response = ResponseBuilder::new().description(description).content("application/problem+json", content).build();
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
    }
}
