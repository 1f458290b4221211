//! The task that moves the number of slots with the machine's pressure.

use std::time::Duration;

use crate::budget::Capacity;
use crate::pressure::Reading;
use crate::scale::Scale;
use crate::scheduler::Scheduler;

/// Follows the machine's pressure.
pub(crate) async fn follow(scheduler: &Scheduler, mut scale: Scale) {
    let share = scheduler.capacity();
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        let pressure = Reading::of_this_machine().pressure();
        let (backlog, full) = scheduler.pressed(pressure);
        let capacity = scheduler.capacity();
        let slots = scale.step(pressure, backlog, full);
        if slots != capacity.slots {
            tracing::info!(
                slots,
                pressure = pressure.name(),
                "the number of slots moves"
            );
            scheduler.set_capacity(Capacity {
                slots,
                reserved: share.reserved.min(slots.saturating_sub(1)),
                ..capacity
            });
        }
    }
}
