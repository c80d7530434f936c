//! Certificates, clearance, credentials and invitations.
