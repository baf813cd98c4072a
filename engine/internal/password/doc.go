// Package password says which passwords are good enough, and makes and checks their hashes.
//
// The rules are those of NIST SP 800-63B-4, section 3.1.1.2, for a password that is the only factor: a least length, a
// list of common passwords, words that an attacker tries first for this person, and no rule about what the password is
// composed of. Passwords are compared in Unicode's normal form NFC.
//
// Hashes are made with argon2id (RFC 9106), with the memory and the passes that OWASP names, and are texts in the PHC
// string format, so that a later version can use more.
package password
