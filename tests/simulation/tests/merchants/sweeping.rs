//! Sweeps have a turn at the start and every hour.

use std::sync::Arc;
use std::time::Duration;

use crm_simulation::shop::run;
use crm_simulation::{Shop, Style};
use crm_sync::retention::{Sweep, keep};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

#[test]
fn there_is_a_turn_at_once_and_every_hour_until_the_host_stops() {
    run(async {
        let shop = Shop::new(Style::Ids).await;
        let begun = shop.context.now();
        let turns: Arc<Mutex<Vec<u64>>> = Arc::default();
        let noted = turns.clone();
        let sweep = Sweep::new("notes", move |context| {
            noted.lock().push((context.now() - begun) / 60_000);
            async { Ok(0) }
        });
        let stop = CancellationToken::new();
        let keeper = tokio::spawn(keep(shop.context.clone(), vec![sweep], stop.clone()));
        tokio::time::sleep(Duration::from_secs(3 * 3600 + 60)).await;
        stop.cancel();
        keeper.await.expect("ends");
        tokio::time::sleep(Duration::from_secs(7200)).await;
        assert_eq!(*turns.lock(), [0, 60, 120, 180]);
    });
}
