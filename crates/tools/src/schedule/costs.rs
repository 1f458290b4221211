//! What was learned of costs, and the file that it is kept in.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use reversecore_jobs::{Cost, CostModel, Estimate, Measured};

/// The saved file is not larger than this.
const LARGEST: u64 = 16 << 20;

/// The model behind a mutex; held for arithmetic only.
#[derive(Debug)]
pub(super) struct Costs {
    model: Mutex<CostModel>,
    file: Option<PathBuf>,
}

impl Costs {
    /// Reads what was saved. What can't be read is said in the log and begun
    /// anew: it is worth some seconds of worse predictions.
    pub(super) fn open(file: Option<PathBuf>) -> Self {
        let model = file.as_deref().and_then(read).unwrap_or_default();
        Self {
            model: Mutex::new(model),
            file,
        }
    }

    pub(super) fn expect(&self, engine: &str, size: u64, estimate: &Estimate) -> Cost {
        self.model().expect(engine, size, estimate)
    }

    pub(super) fn learn(&self, engine: &str, size: u64, measured: Measured) {
        self.model().learn(engine, size, measured);
    }

    /// Writes it down, if anything has changed. Blocking.
    pub(super) fn save(&self) {
        let Some(file) = &self.file else {
            return;
        };
        let Some(text) = self.model().save() else {
            return;
        };
        if let Err(error) = write(file, &text) {
            tracing::warn!(%error, file = %file.display(), "the learned costs could not be saved");
        }
    }

    fn model(&self) -> MutexGuard<'_, CostModel> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &Path) -> Option<CostModel> {
    let size = std::fs::metadata(file).ok()?.len();
    if size > LARGEST {
        tracing::warn!(file = %file.display(), size, "the learned costs are too large to be read");
        return None;
    }
    let text = std::fs::read_to_string(file).ok()?;
    match CostModel::load(&text) {
        Ok(model) => Some(model),
        Err(error) => {
            tracing::warn!(%error, file = %file.display(), "the learned costs are begun anew");
            None
        }
    }
}

/// Whole or not at all.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let draft = file.with_extension(format!("{}.new", std::process::id()));
    let written = std::fs::File::create(&draft)
        .and_then(|mut out| out.write_all(text.as_bytes()))
        .and_then(|()| std::fs::rename(&draft, file));
    if written.is_err() {
        std::fs::remove_file(&draft).ok();
    }
    written
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::schedule::estimates;

    #[test]
    fn what_was_learned_outlives_the_process() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("deep/costs.json");
        let measured = Measured {
            cpu: Duration::from_millis(7),
            wall: Duration::from_millis(9),
            memory: 1 << 30,
        };
        let costs = Costs::open(Some(file.clone()));
        for _ in 0..10 {
            costs.learn("strings", 1 << 20, measured);
        }
        costs.save();
        let again = Costs::open(Some(file.clone()));
        let cost = again.expect("strings", 1 << 20, &estimates::STRINGS.estimate);
        assert_eq!((cost.cpu, cost.memory), (measured.cpu, measured.memory));
        // Nothing is left beside it, and a damaged file is no obstacle.
        assert_eq!(
            std::fs::read_dir(file.parent().unwrap()).unwrap().count(),
            1
        );
        std::fs::write(&file, "{").unwrap();
        let anew = Costs::open(Some(file));
        assert!(
            anew.expect("strings", 1 << 20, &estimates::STRINGS.estimate)
                .cpu
                < measured.cpu
        );
    }
}
