// Package smtptest is for tests of mail: a real mail server, which is the installed Exim, and what takes a mail apart.
//
//	server := smtptest.StartExim(t, true)
//	notify.SMTPConfig{Host: "127.0.0.1", Port: server.Port, TLSConfig: &tls.Config{RootCAs: server.Pool}, ...}
//	_, plain, html := smtptest.Parts(t, server.One(t))
//
// Only root, or Exim's own account, may start Exim's daemon.
package smtptest
