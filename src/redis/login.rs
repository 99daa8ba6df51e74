//! What a connection says before its first command.

use super::resp::{write_argument, write_count};

/// Who calls, and which database is meant.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The user; `default` where only a password is given.
    pub user: Option<String>,
    /// It must not get into anything that is written or compared.
    pub password: Option<String>,
    /// The number of the database; 0 needs no word.
    pub database: u32,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).field("database", &self.database).finish_non_exhaustive()
    }
}

impl Login {
    /// The commands for it, one reply for each.
    pub(super) fn commands(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        if let Some(password) = &self.password {
            let who = self.user.as_deref().map(str::as_bytes);
            all.push(command([Some(&b"AUTH"[..]), who, Some(password.as_bytes())].into_iter().flatten()));
        }
        if self.database > 0 {
            let database = self.database.to_string();
            all.push(command([&b"SELECT"[..], database.as_bytes()].into_iter()));
        }
        all
    }
}

fn command<'a>(arguments: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    let mut wire = Vec::new();
    write_count(&mut wire, arguments.clone().count());
    arguments.for_each(|argument| write_argument(&mut wire, argument));
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_is_said() {
        let login = |user: Option<&str>, password: Option<&str>, database| Login {
            user: user.map(Into::into),
            password: password.map(Into::into),
            database,
        };
        let said = |login: Login| {
            let lines = login.commands().into_iter().map(|wire| String::from_utf8(wire).expect("text"));
            lines.map(|wire| wire.split("\r\n").skip(2).step_by(2).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(said(login(None, None, 0)), [""; 0]);
        assert_eq!(said(login(None, Some("pw"), 0)), ["AUTH pw"]);
        assert_eq!(said(login(Some("me"), Some("pw"), 3)), ["AUTH me pw", "SELECT 3"]);
        assert!(!format!("{:?}", login(Some("me"), Some("canary"), 1)).contains("canary"));
    }
}
