//! The task that looks at the machine's pressure: moves the number of slots with
//! it, and has a batch job stop or go when nothing else helps.

use std::time::Duration;

use crate::budget::Capacity;
use crate::pressure::{Pressure, Reading};
use crate::relief::Relief;
use crate::scale::Scale;
use crate::scheduler::Scheduler;

/// Follows the machine's pressure.
pub(crate) async fn follow(scheduler: &Scheduler, mut scale: Option<Scale>) {
    let share = scheduler.capacity();
    let mut relief = Relief::default();
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        if scale.is_none() && !scheduler.has_batch() {
            // There is nothing that could be done about it.
            continue;
        }
        let pressure = Reading::of_this_machine().pressure();
        let (backlog, full) = scheduler.pressed(pressure);
        for act in relief.step(pressure, &scheduler.batch()) {
            tracing::warn!(?act, pressure = pressure.name(), "a batch job makes room");
            scheduler.act(act);
        }
        scheduler.set_room(relief.has_room(pressure));
        if let Some(scale) = &mut scale {
            resize(
                scheduler,
                scale.step(pressure, backlog, full),
                share,
                pressure,
            );
        }
    }
}

fn resize(scheduler: &Scheduler, slots: usize, share: Capacity, pressure: Pressure) {
    let capacity = scheduler.capacity();
    if slots == capacity.slots {
        return;
    }
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
