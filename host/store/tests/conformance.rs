//! The conformance suite on sled, and the model against itself (the suite must at least agree with its own oracle).

mod common;

use common::{SledFactory, short};
use crm_store::conformance::{Factory, histories};
use crm_store::model_store::MemoryModel;
use crm_store::{Store, conformance_suite};
use std::sync::Arc;

mod sled {
    use super::*;

    conformance_suite!(SledFactory::new());

    #[test]
    fn random_histories_agree_with_the_model() {
        histories(short("CRM_HISTORIES", 150), 60, SledFactory::new);
    }
}

mod model {
    use super::*;

    #[derive(Default)]
    struct ModelFactory(MemoryModel);

    impl Factory for ModelFactory {
        fn open(&self, now: u64) -> Arc<dyn Store> {
            self.0.restart(now);
            Arc::new(self.0.clone())
        }

        fn expire(&self, _: &Arc<dyn Store>, before: u64) -> Option<u64> {
            Some(self.0.expire(before))
        }
    }

    conformance_suite!(ModelFactory::default());

    #[test]
    fn random_histories_agree_with_themselves() {
        histories(50, 60, ModelFactory::default);
    }
}
