//! How hard the machine is pressed: from the kernel's pressure stall information
//! where it is live, else from the memory that is available and the load.

use serde::Serialize;

/// What the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Reading {
    /// Share of the last ten seconds in which some task waited for a processor,
    /// from 0 to 1; `None` where the kernel does not say.
    pub cpu_stall: Option<f64>,
    /// Share in which some task waited for memory.
    pub memory_stall: Option<f64>,
    /// Share in which all tasks waited for memory.
    pub memory_full_stall: Option<f64>,
    /// Share of the memory that is available.
    pub memory_available: Option<f64>,
    /// Runnable tasks for each processor, the mean of a minute.
    pub load: Option<f64>,
}

/// What it amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pressure {
    /// There is room for more.
    Calm,
    /// As it should be.
    Fair,
    /// Less should run.
    High,
    /// Something must go.
    Emergency,
}

impl Pressure {
    /// Its name, as in reports and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Fair => "fair",
            Self::High => "high",
            Self::Emergency => "emergency",
        }
    }
}

impl Reading {
    /// Reads the files of `/proc`. They are small and never block.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::from_texts(
            &read("/proc/pressure/cpu"),
            &read("/proc/pressure/memory"),
            &read("/proc/meminfo"),
            &read("/proc/loadavg"),
            processors,
        )
    }

    fn from_texts(
        cpu: &str,
        memory: &str,
        meminfo: &str,
        loadavg: &str,
        processors: usize,
    ) -> Self {
        let kibibytes = |key: &str| -> Option<f64> {
            let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim().strip_suffix(" kB")?.trim().parse().ok()
        };
        let total = kibibytes("MemTotal:").filter(|total| *total > 0.0);
        let load = loadavg
            .split(' ')
            .next()
            .and_then(|load| load.parse::<f64>().ok());
        let processors = f64::from(u32::try_from(processors.max(1)).unwrap_or(u32::MAX));
        Self {
            cpu_stall: average(cpu, "some"),
            memory_stall: average(memory, "some"),
            memory_full_stall: average(memory, "full"),
            memory_available: total.and_then(|total| Some(kibibytes("MemAvailable:")? / total)),
            load: load.map(|load| load / processors),
        }
    }

    /// What it amounts to. Above a tenth of stall less should run, below a
    /// twentieth there is room.
    #[must_use]
    pub fn pressure(&self) -> Pressure {
        let above = |value: Option<f64>, bound: f64| value.is_some_and(|value| value > bound);
        let below = |value: Option<f64>, bound: f64| value.is_some_and(|value| value < bound);
        if below(self.memory_available, 0.04) || above(self.memory_full_stall, 0.2) {
            return Pressure::Emergency;
        }
        let stalls = [self.cpu_stall, self.memory_stall];
        let live = self.cpu_stall.is_some();
        if stalls.iter().any(|stall| above(*stall, 0.1))
            || below(self.memory_available, 0.1)
            || (!live && above(self.load, 2.0))
        {
            return Pressure::High;
        }
        let calm = stalls.iter().all(|stall| !above(*stall, 0.05))
            && !below(self.memory_available, 0.2)
            && (live || !above(self.load, 1.0));
        if calm { Pressure::Calm } else { Pressure::Fair }
    }
}

/// `some avg10=1.23 avg60=… avg300=… total=…`, as a share.
fn average(text: &str, kind: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
    let value = line
        .split_whitespace()
        .find_map(|part| part.strip_prefix("avg10="))?;
    value.parse::<f64>().ok().map(|percent| percent / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: &str = "some avg10=7.50 avg60=1.00 avg300=0.10 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
    const MEMORY: &str = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
    const MEMINFO: &str =
        "MemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    4000000 kB\n";

    #[test]
    fn the_kernels_words_are_understood() {
        let reading = Reading::from_texts(CPU, MEMORY, MEMINFO, "3.00 1.0 1.0 1/2 3\n", 2);
        assert_eq!(
            reading,
            Reading {
                cpu_stall: Some(0.075),
                memory_stall: Some(0.0),
                memory_full_stall: Some(0.0),
                memory_available: Some(0.5),
                load: Some(1.5),
            }
        );
        assert_eq!(reading.pressure(), Pressure::Fair);
        let silent = Reading::from_texts("", "", "", "", 2);
        assert_eq!(silent, Reading::default());
        assert_eq!(silent.pressure(), Pressure::Calm);
        // Where the kernel has no stall information, memory and load decide.
        let blind = Reading::from_texts("", "", MEMINFO, "9.0 1 1 1/2 3", 2);
        assert_eq!(blind.pressure(), Pressure::High);
        assert!(Reading::of_this_machine().memory_available.is_some());
    }

    #[test]
    fn each_sign_of_want_counts() {
        let fair = Reading {
            memory_available: Some(0.5),
            ..Reading::default()
        };
        let with = |change: fn(&mut Reading)| {
            let mut reading = fair;
            change(&mut reading);
            reading.pressure()
        };
        assert_eq!(with(|_| {}), Pressure::Calm);
        assert_eq!(with(|r| r.cpu_stall = Some(0.2)), Pressure::High);
        assert_eq!(with(|r| r.memory_stall = Some(0.2)), Pressure::High);
        assert_eq!(with(|r| r.memory_available = Some(0.08)), Pressure::High);
        assert_eq!(with(|r| r.memory_available = Some(0.15)), Pressure::Fair);
        assert_eq!(
            with(|r| r.memory_available = Some(0.02)),
            Pressure::Emergency
        );
        assert_eq!(
            with(|r| r.memory_full_stall = Some(0.3)),
            Pressure::Emergency
        );
    }
}
