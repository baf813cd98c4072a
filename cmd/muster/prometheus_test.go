//go:build observe

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// prometheusAt is a Prometheus that scrapes a server each second.
type prometheusAt struct {
	t   *testing.T
	url string
}

// startPrometheus runs the installed Prometheus with the alerts of docs/observe.
func startPrometheus(t *testing.T, targets ...string) *prometheusAt {
	t.Helper()
	rules, err := filepath.Abs("../../docs/observe/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs:\n"+
		"  - job_name: muster\n    static_configs: [{targets: [%s]}]\n", rules, strings.Join(targets, ", "))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("promtool", "check", "config", config).CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
	address := freeAddress(t)
	log := &lockedText{}
	cmd := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // it ends by the signal
		if t.Failed() {
			t.Log(log)
		}
	})
	return &prometheusAt{t, "http://" + address}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// ask returns the values that a query has now, those that are no numbers left out.
func (p *prometheusAt) ask(query string) ([]float64, error) {
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet,
		p.url+"/api/v1/query?query="+url.QueryEscape(query), nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Status, Error string
		Data          struct {
			ResultType string
			Result     []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Status != "success" {
		return nil, fmt.Errorf("%w %s", err, text)
	}
	var values []float64
	for _, r := range answer.Data.Result {
		value, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		if err != nil {
			return nil, err
		}
		if !math.IsNaN(value) {
			values = append(values, value)
		}
	}
	return values, nil
}

// comparison is the end of an alert's rule, behind what it looks at.
var comparison = regexp.MustCompile(` (==|>) [0-9.]+$`)

// queries returns those of the dashboard and the alerts, by their names.
func queries(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	text, err := os.ReadFile("../../docs/observe/dashboard.json")
	if err == nil {
		err = json.Unmarshal(text, &dashboard)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for i, target := range panel.Targets {
			found[fmt.Sprintf("panel %s %d", panel.Title, i)] = target.Expr
		}
	}
	for name, rule := range alerts(t) {
		looked := comparison.ReplaceAllString(rule, "")
		if looked == rule {
			t.Errorf("the alert %s compares with no number: %s", name, rule)
		}
		found["alert "+name] = looked
	}
	return found
}

func alerts(t *testing.T) map[string]string {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	text, err := os.ReadFile("../../docs/observe/alerts.yaml")
	if err == nil {
		err = yaml.Unmarshal(text, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, rule := range file.Groups[0].Rules {
		found[rule.Alert] = rule.Expr
	}
	return found
}

// Every query of the dashboard and of the alerts has data from a Prometheus that scrapes a server and a worker, and an
// alert is pending when its cause is there.
func TestDashboardHasData(t *testing.T) {
	t.Parallel()
	s := staffed(t, 60)
	folder := filepath.Join(s.dir, "payroll")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	s.file("payroll/accounts.csv", "id,mail\n1,a@example.com\n")
	s.run(exitOK, "sources: [{name: Payroll, connector: delimited-folder, connectorAttributes: {folder: "+folder+"}, "+
		"schemas: [{name: account, identityAttribute: id, attributes: [{name: id}, {name: mail}]}]}]", "apply", "-f", "-")
	s.run(exitOK, "", "source", "aggregate", "Payroll", "--no-process")
	_, errOut := s.run(exitFailed, "", "apply", "-f", s.file("mistake.yaml", fmt.Sprintf(salesRole, "Sails")))
	demand(t, errOut, "is held")
	serving, working := freeAddress(t), freeAddress(t)
	w := s.serve("--dev-client", "demo:secret:ORG_ADMIN", "--metrics-listen", serving, "--no-worker", "--rate-limit", "off")
	w.do(http.StatusNotFound, http.MethodGet, "/metrics", "", "")
	made, _ := s.run(exitOK, "", "token", "--authority", "ORG_ADMIN")
	log := &lockedText{}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan int, 1)
	go func() {
		ended <- newApp(s.getenv, strings.NewReader(""), log, log).run(ctx, []string{"worker", "--metrics-listen", working,
			"--database-url", s.url})
	}()
	defer func() {
		stop()
		if code := <-ended; code != exitOK {
			t.Errorf("the worker exits with %d\n%s", code, log)
		}
	}()
	p := startPrometheus(t, serving, working)
	missing := queries(t)
	if len(missing) < 30 {
		t.Errorf("%d queries were found, want those of all panels and alerts", len(missing))
	}
	deadline := time.Now().Add(3 * time.Minute)
	var last error
	for len(missing) > 0 && time.Now().Before(deadline) {
		// Something to see: a request, a run, and a source that is aggregated.
		w.do(http.StatusOK, http.MethodGet, "/beta/identities?limit=1", strings.TrimSpace(made), "")
		s.run(exitOK, "", "process", "ann")
		for name, query := range missing {
			values, err := p.ask(query)
			if last = err; err == nil && len(values) > 0 {
				delete(missing, name)
			}
		}
		time.Sleep(time.Second)
	}
	for name, query := range missing {
		t.Errorf("%s has no data: %s (%v)", name, query, last)
	}
	for name, rule := range alerts(t) {
		values, err := p.ask(rule)
		if wanted := name == "MusterRunHeld"; err != nil || (len(values) > 0) != wanted {
			t.Errorf("the alert %s has the values %v, %v; its cause is there: %t", name, values, err, wanted)
		}
	}
}
