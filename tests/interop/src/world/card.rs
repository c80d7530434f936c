//! A card: a token of SoftHSM.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::World;

/// Where SoftHSM's module is in the distributions.
const PLACES: [&str; 3] =
    ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib/libsofthsm2.so"];

/// Somebody's card.
#[derive(Debug)]
pub struct Card {
    /// Its address, for `--credential`.
    pub uri: String,
    slot: PathBuf,
    pocket: PathBuf,
}

impl World {
    /// Gives one of the people another credential: the office tool makes its key on a card, which is empty before.
    /// Invitations that are signed from then on name that credential. The PIN stands in the file `pin`.
    ///
    /// # Errors
    /// The first step that does not succeed, with what the program said.
    pub fn card(&mut self, number: usize, (seat, code): (&str, &str), pin: &str) -> Result<Card> {
        let given = env::var("SOFTHSM2_MODULE").ok();
        let module = given.or_else(|| PLACES.into_iter().find(|path| Path::new(path).exists()).map(str::to_owned));
        let module = module.context("SoftHSM is needed; cargo xtask setup installs it")?;
        let (slot, config) = (self.path("tokens"), self.path("softhsm2.conf"));
        let pocket = self.path("pocket");
        fs::create_dir(&slot)?;
        fs::create_dir(&pocket)?;
        fs::write(&config, format!("directories.tokendir = {}\n", slot.display()))?;
        self.variables.push(("SOFTHSM2_CONF", config));
        let mut command = Command::new("softhsm2-util");
        command.args(["--init-token", "--free", "--label", "Card", "--pin", pin, "--so-pin", "office-pin"]);
        self.run(command)?;
        fs::write(self.path("pin"), pin)?;
        self.keep_private("pin")?;
        let uri = format!("pkcs11:token=Card?module-path={module}");
        fs::remove_file(self.credential(number))?;
        let certificate = format!("{number}.credential.pem");
        let person = ["--name", &self.people[number], "--seat", seat, "--seat-code", code];
        let issue = ["credential", "issue", "--ca", "ca", "--password-file", "password"];
        let clearance = ["--clearance", "secret", "--clearance-until", "2099-12-31", "--days", "100"];
        let to = ["--card", &uri, "--pin-file", "pin", "--certificate-out", &certificate];
        self.registry(issue.into_iter().chain(person).chain(clearance).chain(to))?;
        Ok(Card { uri, slot, pocket })
    }
}

impl Card {
    /// Takes it out of the reader: the module finds no token any more.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn take_out(&self) -> Result<()> {
        move_all(&self.slot, &self.pocket)
    }

    /// Puts it back.
    ///
    /// # Errors
    /// Where it is there.
    pub fn put_in(&self) -> Result<()> {
        move_all(&self.pocket, &self.slot)
    }
}

/// The module does not load without its folder, so that stays.
fn move_all(from: &Path, to: &Path) -> Result<()> {
    let tokens = fs::read_dir(from)?.collect::<Result<Vec<_>, _>>()?;
    ensure!(!tokens.is_empty(), "there is no token in {}", from.display());
    for token in tokens {
        fs::rename(token.path(), to.join(token.file_name()))?;
    }
    Ok(())
}
