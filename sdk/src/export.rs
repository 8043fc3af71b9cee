//! The one macro. It only wires: the work is in [`crate::entry`].

/// Exports a connector: `export!(Type)`, once per crate, with a unit struct that implements
/// [`Connector`](crate::Connector).
///
/// Always defines `pub fn connector() -> &'static dyn Connector`, by which tests and benches call the connector natively.
/// The component's exports are emitted on `wasm32` only, so that many connectors can be linked into one native program.
#[macro_export]
macro_rules! export {
    ($connector:ident) => {
        /// The connector, to be called natively.
        pub fn connector() -> &'static dyn $crate::Connector {
            &$connector
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, unreachable_pub, reason = "the component's exports are raw symbols of the canonical ABI")]
        mod __component {
            use $crate::types::*;

            struct Exports;

            impl $crate::bindings::Guest for Exports {
                fn verify(on: Connection) -> Result<Account, Error> {
                    $crate::entry::verify(super::connector(), &on)
                }

                fn list_choices(on: Connection, picker: String, search: Option<String>, cursor: Option<String>) -> Result<Page, Error> {
                    $crate::entry::list_choices(super::connector(), &on, &picker, search.as_deref(), cursor.as_deref())
                }

                fn prepare(on: Connection, tags: Vec<String>, fields: Vec<String>, apply: bool) -> Result<Prepared, Error> {
                    $crate::entry::prepare(super::connector(), &on, &tags, &fields, apply)
                }

                fn sync_contact(job: Job) -> Report {
                    $crate::entry::sync_contact(super::connector(), &job)
                }

                fn untag_contact(job: Job) -> Report {
                    $crate::entry::untag_contact(super::connector(), &job)
                }

                fn lookup_contact(on: Connection, who: Person, known: Known) -> Result<Option<Seen>, Error> {
                    $crate::entry::lookup_contact(super::connector(), &on, &who, &known)
                }
            }

            $crate::bindings::export_component!(Exports with_types_in $crate::bindings);
        }
    };
}
