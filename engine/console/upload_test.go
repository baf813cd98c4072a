package console_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/enginetest"
)

// upload sends a form with a file, whose fields stand before it or behind it, as a browser sends it.
func (s *site) upload(path string, fields url.Values, file string, behind bool) *answer {
	s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	add := func() {
		for name := range fields {
			if err := form.WriteField(name, fields.Get(name)); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	if !behind {
		add()
	}
	name := "accounts.csv"
	if file == "" { // nobody chose one
		name = ""
	}
	part, err := form.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write([]byte(file))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if behind {
		add()
	}
	if err := form.Close(); err != nil {
		s.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://localhost"+path, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return s.send(r)
}

// A file is tried and then aggregated by a worker; what is wrong with it is said beside the form, and changes nothing.
func TestUpload(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	page := "/sources/" + s.sourceID("Directory") + "/aggregate"
	accounts := func() int { return s.CountRows("muster.accounts WHERE native_identity = 'zed'") }
	s.get("/sources/" + s.sourceID("Directory") + "/").shows("Upload a file…")
	s.get(page).shows("Upload a file", "Only say what it would do")
	row := enginetest.DirectoryHeader + "zed,zed@example.com,,staff,true\n"
	only := url.Values{"delta": {"yes"}, "do": {"try"}}

	tried := s.follow(s.upload(page, only, row, false).demand(http.StatusSeeOther))
	s.Process()
	run := s.get(tried.url.Path).shows("What an aggregation would do", "Accounts added 1", "nothing was changed")
	if accounts() != 0 {
		t.Error("a trial added the account")
	}
	if got := s.resolve(run, run.link("Aggregate…")); got != page {
		t.Errorf("it leads to %s, want %s", got, page)
	}
	// What stands behind the file counts too: without it this would be no trial of a part.
	s.follow(s.upload(page, only, row, true).demand(http.StatusSeeOther))
	s.Process()
	if accounts() != 0 {
		t.Error("a trial whose fields stand behind the file added the account")
	}
	done := s.follow(s.upload(page, url.Values{"delta": {"yes"}, "do": {"apply"}}, row, false).demand(http.StatusSeeOther))
	s.Process()
	s.get(done.url.Path).shows("What it did", "Accounts added 1")
	if accounts() != 1 {
		t.Error("the account is not there")
	}

	tasks := s.CountRows("muster.tasks")
	for text, want := range map[string]string{"": "Choose the file", "id\x00\n": "NUL"} {
		s.upload(page, only, text, false).demand(http.StatusBadRequest).shows(want)
	}
	s.upload(page, url.Values{"max": {"some"}}, row, false).demand(http.StatusBadRequest).shows("10%")
	s.upload(page, url.Values{"max": {"some"}}, row, true).demand(http.StatusBadRequest).shows("10%")
	s.upload("/sources/"+strings.Repeat("0", 32)+"/aggregate", only, row, false).demand(http.StatusNotFound)
	s.do(http.MethodPost, page, url.Values{"do": {"apply"}}).demand(http.StatusBadRequest).shows("Choose the file")
	s.level = "HELPDESK"
	s.upload(page, only, row, false).demand(http.StatusForbidden)
	if n := s.CountRows("muster.tasks"); n != tasks {
		t.Errorf("there are %d runs more", n-tasks)
	}
}
