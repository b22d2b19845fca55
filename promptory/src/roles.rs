//! Which parts of the system a process is, and what it says to requests that are for another part.

use std::fmt;
use std::str::FromStr;

use axum::Router;
use axum::routing::{MethodFilter, on};
use promptory_platform::{Problem, ProblemType};
use utoipa::openapi::OpenApi;

/// A part of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes commands over HTTP and writes them.
    Command,
    /// Builds read models of some partitions and answers from them.
    Projection,
    /// Answers questions over HTTP.
    Query,
}

impl Role {
    const ALL: [Self; 3] = [Self::Command, Self::Projection, Self::Query];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Command => "command",
            Self::Projection => "projection",
            Self::Query => "query",
        })
    }
}

/// The parts that a process is; at least one. As text `command,query`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(Vec<Role>);

impl Roles {
    /// The whole system.
    #[must_use]
    pub fn all() -> Self {
        Self(Role::ALL.to_vec())
    }

    /// Whether the process is this part.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }
}

impl From<Role> for Roles {
    fn from(role: Role) -> Self {
        Self(vec![role])
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(Role::to_string).collect::<Vec<_>>().join(","))
    }
}

/// The text names no roles, or no partitions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NamesError(String);

impl FromStr for Roles {
    type Err = NamesError;

    fn from_str(text: &str) -> Result<Self, NamesError> {
        let role = |name: &str| {
            let found = Role::ALL.into_iter().find(|role| role.to_string() == name);
            found.ok_or_else(|| NamesError(format!("{name:?} is no role; there are {}", Self::all())))
        };
        text.split(',').map(|name| role(name.trim())).collect::<Result<_, _>>().map(Self)
    }
}

/// Partitions by number. As text `0,2,5-7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitions(Vec<u16>);

impl Partitions {
    /// Those numbers, in order, each once.
    #[must_use]
    pub fn numbers(&self) -> &[u16] {
        &self.0
    }
}

impl FromStr for Partitions {
    type Err = NamesError;

    fn from_str(text: &str) -> Result<Self, NamesError> {
        let error = || NamesError(format!("{text:?} names no partitions; the form is 0,2,5-7"));
        let mut numbers = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.trim().split_once('-').unwrap_or((part.trim(), part.trim()));
            let (first, last): (u16, u16) = (first.parse().map_err(|_| error())?, last.parse().map_err(|_| error())?);
            if first > last {
                return Err(error());
            }
            numbers.extend(first..=last);
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(Self(numbers))
    }
}

/// The routes of a part that this process is not: each says who serves it.
pub(crate) fn elsewhere(role: Role, description: &OpenApi) -> Router {
    let problem = Problem::new(
        ProblemType::MISDIRECTED,
        format!("this process does not serve it; processes with the role `{role}` do"),
    )
    .with("role", role.to_string());
    let mut router = Router::new();
    for (path, item) in &description.paths.paths {
        let methods = [
            (MethodFilter::GET, item.get.is_some()),
            (MethodFilter::POST, item.post.is_some()),
            (MethodFilter::PUT, item.put.is_some()),
            (MethodFilter::DELETE, item.delete.is_some()),
            (MethodFilter::PATCH, item.patch.is_some()),
        ];
        for (method, _) in methods.into_iter().filter(|(_, there)| *there) {
            let problem = problem.clone();
            router = router.route(path, on(method, move || std::future::ready(problem.clone())));
        }
    }
    router
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named() {
        let roles: Roles = "query, command".parse().unwrap();
        assert!(roles.has(Role::Command) && roles.has(Role::Query) && !roles.has(Role::Projection));
        assert_eq!("command,projection,query".parse(), Ok(Roles::all()));
        for bad in ["", "commands", "command,", "all"] {
            assert!(bad.parse::<Roles>().is_err(), "{bad}");
        }
    }

    #[test]
    fn partitions_are_numbers_and_ranges() {
        assert_eq!("5-7,0, 2,6".parse::<Partitions>().unwrap().numbers(), [0, 2, 5, 6, 7]);
        for bad in ["", "a", "3-1", "1-", "-1", "1,,2", "65536"] {
            assert!(bad.parse::<Partitions>().is_err(), "{bad}");
        }
    }
}
