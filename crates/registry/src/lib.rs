//! The office tool: CA, credentials, invitations.
