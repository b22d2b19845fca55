//! The first keys of a data folder: an operator's and an owner's, each written once to a file that only its user reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use promptory_command::{Failure, Service, wire};
use promptory_events::TenantId;
use promptory_platform::ApiKey;

/// The first keys could not be made.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file could not be read or written.
    #[error("the key file {path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file holds no API key.
    #[error("the file {0} holds no API key")]
    NoKey(PathBuf),
    /// The service refused.
    #[error(transparent)]
    Refused(#[from] Failure),
}

/// The folder of key files in a data folder.
#[must_use]
pub fn folder(data: &Path) -> PathBuf {
    data.join("keys")
}

/// Where a tenant's first owner key is written.
#[must_use]
pub fn owner_file(data: &Path, tenant: &TenantId) -> PathBuf {
    folder(data).join(format!("{tenant}-owner.key"))
}

/// Where the first operator's key is written.
#[must_use]
pub fn operator_file(data: &Path) -> PathBuf {
    folder(data).join("operator.key")
}

/// Reads a key file.
///
/// # Errors
/// The file can't be read or holds no key.
pub fn read(path: &Path) -> Result<ApiKey, KeysError> {
    let text = fs::read_to_string(path).map_err(|error| KeysError::File { path: path.into(), error })?;
    text.trim().parse().map_err(|_| KeysError::NoKey(path.into()))
}

/// Writes a key file that only its user can read, durable when it returns.
fn write(path: &Path, key: &ApiKey) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{}", key.reveal())?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Sets the system up if nobody has; gives the operator's key then.
///
/// # Errors
/// The key file can't be written, or the service is not available.
pub async fn bootstrap(data: &Path, service: &Service) -> Result<Option<ApiKey>, KeysError> {
    let path = operator_file(data);
    let mut written = false;
    let operator = service.bootstrap(|key| {
        written = true;
        write(&path, key)
    });
    let operator = operator.await?;
    if operator.is_none() && written {
        // Another process was first: this key opens nothing.
        fs::remove_file(&path).map_err(|error| KeysError::File { path, error })?;
    }
    Ok(operator)
}

/// Creates a tenant with the operator's key if it is not there, and writes its owner's key; gives that key then.
///
/// A marker file stands from before the tenant is created until its key is written, so a crash in between loses
/// neither: the next start lets another owner in.
///
/// # Errors
/// A key file can't be read or written, or the service refuses.
pub async fn ensure_tenant(data: &Path, service: &Service, tenant: &TenantId) -> Result<Option<ApiKey>, KeysError> {
    let path = owner_file(data, tenant);
    let pending = path.with_extension("pending");
    let exists = service.tenant_status(tenant).await?.is_some();
    if exists && !pending.exists() {
        return Ok(None);
    }
    let operator = read(&operator_file(data))?.presented();
    let file_error = |error| KeysError::File { path: path.clone(), error };
    fs::write(&pending, b"").map_err(file_error)?;
    let owner = if exists {
        service.add_owner(&operator, tenant.as_str(), None, None).await?
    } else {
        let change = wire::Change::CreateTenant { tenant: tenant.to_string(), title: None };
        let request = wire::Request { claims: wire::Claims::default(), change };
        service.create_tenant(&operator, request).await?.1
    };
    if let Some(key) = &owner.api_key {
        write(&path, key).map_err(file_error)?;
    }
    fs::remove_file(&pending).map_err(file_error)?;
    Ok(owner.api_key)
}
