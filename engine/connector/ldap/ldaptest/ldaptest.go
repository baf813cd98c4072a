// Package ldaptest is a stand-in for a directory such as Active Directory, for tests: it gives entries by pages, and
// attributes with many values in ranges. A test says where it misbehaves.
//
//	server := ldaptest.Start(t, ldaptest.Options{RangeMax: 1500}, entries...)
//	server.URL                                                      // ldap://127.0.0.1:...
//	server.Tamper(func(search *ldaptest.Search, answer *ldaptest.Answer) { answer.Cookie = "again" })
//
// It knows signing in (with any password), searches and what Active Directory adds to them, and refuses the rest.
package ldaptest

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Entry is an entry of the directory.
type Entry struct {
	DN         string
	Attributes map[string][]string
}

// Options say what the directory does as others do.
type Options struct {
	// RangeMax is how many values of one attribute an answer has, at most: 1500 in Active Directory. 0 means all.
	RangeMax int
}

// Search is a request of a client.
type Search struct {
	Base       string
	Scope      int
	Attributes []string // as they were requested
	Page       int      // of this search, from 0
	Number     int      // of the requests to this server, from 0
}

// Answer is what the server gives to a [Search].
type Answer struct {
	Entries    []Entry
	References []string // URLs of other servers
	Code       uint16   // an LDAP result code, 0 for success
	Diagnostic string   // the message with the code
	Cookie     string   // names the next page; "" for none
	NoPaging   bool     // no control about pages is given back
	Break      bool     // the connection ends behind the entries
}

// Server is a directory that runs until its test ends. Its methods are safe for concurrent use.
type Server struct {
	URL string

	options  Options
	listener net.Listener
	mutex    sync.Mutex
	entries  []Entry
	tamper   func(*Search, *Answer)
	requests int
}

// Start starts a server with entries on the loopback interface. The test ends it.
func Start(t testing.TB, options Options, entries ...Entry) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: "ldap://" + listener.Addr().String(), options: options, listener: listener, entries: entries}
	var clients sync.WaitGroup
	open := map[net.Conn]bool{}
	clients.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.mutex.Lock()
			open[conn] = true
			s.mutex.Unlock()
			clients.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		s.mutex.Lock()
		for conn := range open {
			_ = conn.Close()
		}
		s.mutex.Unlock()
		clients.Wait()
	})
	return s
}

// Tamper sets a function that may change each answer before it is given. nil removes it.
func (s *Server) Tamper(tamper func(*Search, *Answer)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.tamper = tamper
}

// Set replaces the entries. A function given to [Server.Tamper] must not call it.
func (s *Server) Set(entries ...Entry) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.entries = entries
}

// Requests returns how many searches were answered.
func (s *Server) Requests() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.requests
}

// The tags of operations (RFC 4511).
const (
	bindRequest     = 0
	bindResponse    = 1
	unbindRequest   = 2
	searchRequest   = 3
	searchEntry     = 4
	searchDone      = 5
	searchReference = 19
)

// serve answers the requests of one client until it goes.
func (s *Server) serve(conn net.Conn) {
	defer conn.Close()
	for {
		packet, err := ber.ReadPacket(conn)
		if err != nil || len(packet.Children) < 2 {
			return
		}
		id, _ := packet.Children[0].Value.(int64)
		operation := packet.Children[1]
		switch operation.Tag {
		case bindRequest:
			err = send(conn, id, result(bindResponse, 0, ""), nil)
		case searchRequest:
			err = s.search(conn, id, operation, packet)
		case unbindRequest:
			return
		default:
			err = send(conn, id, result(operation.Tag+1, ldap.LDAPResultUnwillingToPerform, ""), nil)
		}
		if err != nil {
			return
		}
	}
}

// search answers a search.
func (s *Server) search(conn net.Conn, id int64, operation, packet *ber.Packet) error {
	size, cookie := 0, ""
	if len(packet.Children) > 2 {
		for _, child := range packet.Children[2].Children {
			control, err := ldap.DecodeControl(child)
			if err != nil {
				return err
			}
			if paging, is := control.(*ldap.ControlPaging); is {
				size, cookie = int(paging.PagingSize), string(paging.Cookie)
			}
		}
	}
	search, answer := s.answer(operation, size, cookie)
	for _, entry := range answer.Entries {
		if err := send(conn, id, s.entry(search, &entry), nil); err != nil {
			return err
		}
	}
	for _, reference := range answer.References {
		p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, searchReference, nil, "reference")
		p.AppendChild(text(reference))
		if err := send(conn, id, p, nil); err != nil {
			return err
		}
	}
	if answer.Break {
		return net.ErrClosed
	}
	var control ldap.Control
	if size > 0 && !answer.NoPaging {
		control = &ldap.ControlPaging{Cookie: []byte(answer.Cookie)}
	}
	return send(conn, id, result(searchDone, answer.Code, answer.Diagnostic), control)
}

// answer finds what a search asks for. A cookie is the position of the page's first entry.
func (s *Server) answer(operation *ber.Packet, size int, cookie string) (*Search, *Answer) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	search := &Search{Base: octets(operation.Children[0]), Number: s.requests}
	if scope, is := operation.Children[1].Value.(int64); is {
		search.Scope = int(scope)
	}
	for _, child := range operation.Children[7].Children {
		search.Attributes = append(search.Attributes, octets(child))
	}
	s.requests++
	answer := &Answer{}
	found := false
	for _, entry := range s.entries {
		is, below := same(entry.DN, search.Base), strings.HasSuffix(strings.ToLower(entry.DN),
			","+strings.ToLower(search.Base))
		found = found || is || below
		if (is || below && search.Scope == ldap.ScopeWholeSubtree) && matches(operation.Children[6], &entry) {
			answer.Entries = append(answer.Entries, entry)
		}
	}
	if !found {
		answer.Code = ldap.LDAPResultNoSuchObject
	}
	if size > 0 {
		from, _ := strconv.Atoi(cookie)
		search.Page = from / size
		to := min(from+size, len(answer.Entries))
		if to < len(answer.Entries) {
			answer.Cookie = strconv.Itoa(to)
		}
		answer.Entries = slices.Clone(answer.Entries[min(from, to):to])
	}
	if s.tamper != nil {
		s.tamper(search, answer)
	}
	return search, answer
}

// matches reports whether an entry fits a filter.
func matches(filter *ber.Packet, entry *Entry) bool {
	fits := func(child *ber.Packet) bool { return matches(child, entry) }
	switch filter.Tag {
	case ldap.FilterAnd:
		return !slices.ContainsFunc(filter.Children, func(child *ber.Packet) bool { return !fits(child) })
	case ldap.FilterOr:
		return slices.ContainsFunc(filter.Children, fits)
	case ldap.FilterNot:
		return !fits(filter.Children[0])
	case ldap.FilterPresent:
		return len(entry.values(octets(filter))) > 0 || same(octets(filter), "objectClass")
	}
	name, value := octets(filter.Children[0]), octets(filter.Children[1])
	return slices.ContainsFunc(entry.values(name), func(have string) bool {
		switch filter.Tag {
		case ldap.FilterEqualityMatch:
			return same(have, value)
		case ldap.FilterGreaterOrEqual:
			return have >= value
		case ldap.FilterLessOrEqual:
			return have <= value
		}
		return false
	})
}

func (e *Entry) values(name string) []string {
	for have, values := range e.Attributes {
		if same(have, name) {
			return values
		}
	}
	return nil
}

// entry makes the answer's part with the attributes that were requested: all where none was.
func (s *Server) entry(search *Search, e *Entry) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, searchEntry, nil, "entry")
	p.AppendChild(text(e.DN))
	list := sequence()
	all := len(search.Attributes) == 0 || slices.Contains(search.Attributes, "*")
	for name, values := range e.Attributes {
		base, _, _ := strings.Cut(name, ";")
		from, asked := 0, all
		for _, wanted := range search.Attributes {
			wantedName, options, _ := strings.Cut(wanted, ";")
			if !same(wanted, name) && !same(wantedName, base) {
				continue
			}
			asked = true
			if low, is := strings.CutPrefix(options, "range="); is {
				from, _ = strconv.Atoi(strings.TrimSuffix(low, "-*"))
			}
		}
		switch left := values[min(from, len(values)):]; {
		case !asked || len(values) == 0:
		case s.options.RangeMax > 0 && len(left) > s.options.RangeMax:
			list.AppendChild(attributeOf(name, nil))
			list.AppendChild(attributeOf(fmt.Sprintf("%s;range=%d-%d", name, from, from+s.options.RangeMax-1),
				left[:s.options.RangeMax]))
		case from > 0 && len(left) > 0:
			list.AppendChild(attributeOf(fmt.Sprintf("%s;range=%d-*", name, from), left))
		case from == 0:
			list.AppendChild(attributeOf(name, values))
		}
	}
	p.AppendChild(list)
	return p
}

// attributeOf makes an attribute of an answer.
func attributeOf(name string, values []string) *ber.Packet {
	p, set := sequence(), ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "values")
	for _, value := range values {
		set.AppendChild(text(value))
	}
	p.AppendChild(text(name))
	p.AppendChild(set)
	return p
}

// result makes the end of an operation.
func result(tag ber.Tag, code uint16, diagnostic string) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "result")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(code), "code"))
	p.AppendChild(text(""))
	p.AppendChild(text(diagnostic))
	return p
}

// send writes one message.
func send(conn net.Conn, id int64, operation *ber.Packet, control ldap.Control) error {
	message := sequence()
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, "id"))
	message.AppendChild(operation)
	if control != nil {
		controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "controls")
		controls.AppendChild(control.Encode())
		message.AppendChild(controls)
	}
	_, err := conn.Write(message.Bytes())
	return err
}

func sequence() *ber.Packet {
	return ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "sequence")
}

func text(value string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, value, "text")
}

func octets(p *ber.Packet) string { return p.Data.String() }

func same(a, b string) bool { return strings.EqualFold(a, b) }
