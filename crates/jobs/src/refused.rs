//! Why a job was not started.

use std::time::Duration;

/// Why a job was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Too many wait already.
    #[error("{running} jobs are running and {waiting} are waiting (try again in {} ms)", .retry_after.as_millis())]
    QueueFull {
        /// Jobs that run.
        running: usize,
        /// Jobs that wait.
        waiting: usize,
        /// When there is likely to be room.
        retry_after: Duration,
    },
    /// It would have to start earlier than it can.
    #[error("the job can't start in time: it is expected to wait {} ms", .expected.as_millis())]
    Late {
        /// How long it is expected to wait.
        expected: Duration,
    },
    /// The moment by which it had to start has passed while it waited.
    #[error("the job waited {} ms, longer than it may", .waited.as_millis())]
    Expired {
        /// How long it has waited.
        waited: Duration,
    },
    /// Whoever wanted it no longer does.
    #[error("the job was cancelled while it waited")]
    Cancelled,
    /// The scheduler takes no more jobs.
    #[error("no more jobs are taken: the server is shutting down")]
    ShutDown,
}
