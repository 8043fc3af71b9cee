//! A `wasm32-wasip2` guest that opens a socket of its own: must be refused by the name of what it imports, whatever the
//! operator allows.

wit_bindgen::generate!({ path: "../../../../wit/since-v0.1.0", world: "connector" });

use rekomi::crm_connector::types::*;

struct Dialler;
export!(Dialler);

fn dial() -> Error {
    let text = format!("{:?}", std::net::TcpStream::connect("127.0.0.1:9"));
    Error::Permanent(Told { code: "dialled".into(), text })
}

impl Guest for Dialler {
    fn verify(_on: Connection) -> Result<Account, Error> {
        Err(dial())
    }

    fn list_choices(_on: Connection, _picker: String, _search: Option<String>, _cursor: Option<String>) -> Result<Page, Error> {
        Err(dial())
    }

    fn prepare(_on: Connection, _tags: Vec<String>, _fields: Vec<String>, _apply: bool) -> Result<Prepared, Error> {
        Err(dial())
    }

    fn sync_contact(job: Job) -> Report {
        Report { known: job.known, ending: Ending::Failed(dial()) }
    }

    fn untag_contact(job: Job) -> Report {
        Report { known: job.known, ending: Ending::Failed(dial()) }
    }

    fn lookup_contact(_on: Connection, _who: Person, _known: Known) -> Result<Option<Seen>, Error> {
        Err(dial())
    }
}
