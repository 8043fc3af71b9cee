//! What nearly every connector needs, in one `use`. Names are chosen, not swept up: a connector that needs more says so.

pub use crate::connector::{Connector, Ending, done, later};
pub use crate::entry;
pub use crate::error;
pub use crate::http::{Call, Reply};
pub use crate::types::{
    Account, Binding, Change, Choice, Connection, Error, Field, Job, Known, Page, Pair, Person, Prepared, Remark, Seen, Standing, Trouble,
    Unanswered, Value,
};
pub use crate::{body, json, log, name, obj, paging, person, status, tags};
