//! A program that runs.

use std::{
    io::Write as _,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// A process that is ended when it goes out of scope.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
}

impl Running {
    pub(super) fn new(child: Child, name: &str) -> Self {
        Self { child, name: name.to_owned() }
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Gives an order to a client that takes orders from standard input (`--orders`).
    ///
    /// # Errors
    /// Where it takes none.
    pub fn order(&mut self, line: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().with_context(|| format!("{} takes no orders", self.name))?;
        Ok(writeln!(input, "{line}")?)
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end, and says whether it succeeded.
    ///
    /// # Errors
    /// Where it takes longer than `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<bool> {
        Ok(self.code(limit)? == Some(0))
    }

    /// Waits for its end, and returns its exit code; `None` where it was ended by a signal.
    ///
    /// # Errors
    /// Where it takes longer than `limit`.
    pub fn code(&mut self, limit: Duration) -> Result<Option<i32>> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            if begun.elapsed() > limit {
                bail!("{} still runs after {limit:?}", self.name);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
