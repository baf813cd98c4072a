package httpapi

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store"
)

// The headers of a search's answer that are ours.
const (
	// scannedHeader is there, and true, where no index serves the query, so that it may end at its time limit.
	scannedHeader = "X-Search-Scanned"
	// notesHeader says what of the query finds nothing, such as a field that does not exist.
	notesHeader = "X-Search-Notes"
)

// notesMax is the most bytes of the notes in a header: proxies refuse larger ones.
const notesMax = 2000

// searchTooLong is the answer to a search that no index serves: it would take as long again, and clients repeat what
// gets a 503.
var searchTooLong = &failure{http.StatusBadRequest, "400.1 Bad request content", ""}

// searchOperations are those of the search. The older spellings, with the index in the path and by GET, are not
// published: clients send them.
var searchOperations = []operation{
	{
		id: "searchPost", method: http.MethodPost, path: "/search", versions: notBeta, query: pageQuery,
		handle: (*Handler).search,
	},
	{
		id: "searchByQuery", method: http.MethodGet, path: "/search", versions: notBeta,
		query: append([]string{"query"}, pageQuery...), handle: (*Handler).searchByQuery,
	},
	{
		id: "searchIndex", method: http.MethodPost, path: "/search/{index}", versions: notBeta, query: pageQuery,
		handle: (*Handler).search,
	},
	{
		id: "searchCount", method: http.MethodPost, path: "/search/count", versions: notBeta,
		handle: (*Handler).countSearch,
	},
	{
		id: "searchAggregate", method: http.MethodPost, path: "/search/aggregate", versions: notBeta, query: pageQuery,
		handle: (*Handler).aggregateSearch,
	},
	{
		id: "searchGet", method: http.MethodGet, path: "/search/{index}/{id}", versions: notBeta,
		handle: (*Handler).getSearchDocument,
	},
}

func (h *Handler) search(c *call) error {
	request, err := c.searchRequest(engine.SearchLimitMax)
	if err != nil {
		return err
	}
	if index := c.PathValue("index"); index != "" { // an older spelling
		request.Indices = []string{index}
	}
	return h.answerSearch(c, &request)
}

// searchByQuery is an older spelling: the query stands in the URL.
func (h *Handler) searchByQuery(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	request := engine.SearchRequest{Query: &engine.SearchText{Query: q.text("query")}}
	if err := q.searchPage(&request, engine.SearchLimitMax); err != nil {
		return err
	}
	return h.answerSearch(c, &request)
}

func (h *Handler) answerSearch(c *call, request *engine.SearchRequest) error {
	if strings.EqualFold(request.QueryType, "TYPEAHEAD") {
		values, err := h.engine.SearchValues(c.Context(), *request)
		if err != nil {
			return searchFailure(err)
		}
		if request.Count {
			c.total(len(values))
		}
		if values == nil {
			values = []string{}
		}
		c.respond(http.StatusOK, values)
		return nil
	}
	page, err := h.engine.Search(c.Context(), *request)
	if err != nil {
		return searchFailure(err)
	}
	c.searched(&page)
	c.respond(http.StatusOK, page.Documents)
	return nil
}

func (h *Handler) countSearch(c *call) error {
	request, err := c.searchRequest(engine.SearchLimitMax)
	if err != nil {
		return err
	}
	none := 0
	request.Limit, request.Offset, request.Count = &none, 0, true
	request.Sort, request.SearchAfter = nil, nil
	page, err := h.engine.Search(c.Context(), request)
	if err != nil {
		return searchFailure(err)
	}
	c.searched(&page)
	c.done(http.StatusNoContent)
	return nil
}

func (h *Handler) aggregateSearch(c *call) error {
	request, err := c.searchRequest(engine.SearchLimitDefault)
	if err != nil {
		return err
	}
	result, err := h.engine.SearchAggregate(c.Context(), request)
	if err != nil {
		return searchFailure(err)
	}
	c.searched(&result.SearchPage)
	if strings.EqualFold(request.AggregationType, "SAILPOINT") && prefersCSV(c.Header.Values("Accept")) {
		return c.respondCSV(aggregationRows(result.Aggregations))
	}
	c.respond(http.StatusOK, map[string]any{"aggregations": result.Aggregations, "hits": result.Documents})
	return nil
}

func (h *Handler) getSearchDocument(c *call) error {
	document, err := h.engine.SearchDocument(c.Context(), c.PathValue("index"), c.PathValue("id"))
	if err != nil {
		return searchFailure(err)
	}
	c.respond(http.StatusOK, document)
	return nil
}

// searched writes the headers of what a search found.
func (c *call) searched(page *engine.SearchPage) {
	header := c.w.Header()
	if page.Total != nil {
		c.total(*page.Total)
	}
	if page.Scanned {
		header.Set(scannedHeader, "true")
	}
	if len(page.Notes) > 0 {
		quoted := strconv.QuoteToASCII(strings.Join(page.Notes, "; ")) // a header is ASCII
		notes := strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
		if len(notes) > notesMax {
			notes = notes[:notesMax-len("...")] + "..."
		}
		header.Set(notesHeader, notes)
	}
}

// searchFailure returns what to answer where a search failed. One that ended at its time limit says what to do.
func searchFailure(err error) error {
	var timeout *store.TimeoutError
	var known *engine.Error
	if !errors.As(err, &timeout) || !errors.As(err, &known) {
		return err
	}
	if engine.SearchScanned(err) {
		return searchTooLong.with(sentence(known))
	}
	return err
}

// searchRequest reads the body and the page of a search.
func (c *call) searchRequest(limitMax int) (engine.SearchRequest, error) {
	var request engine.SearchRequest
	q, err := c.query()
	if err != nil {
		return request, err
	}
	members, err := c.body()
	if err != nil {
		return request, err
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if err := readMember(&request, name, members[name]); err != nil {
			return request, err
		}
	}
	return request, q.searchPage(&request, limitMax)
}

// readMember reads one member of the body of a search. Members that are not known are ignored, among them those of a
// page, which stands in the URL.
func readMember(request *engine.SearchRequest, name string, value json.RawMessage) error {
	if kindOf(value) == "null" {
		return nil
	}
	one, err := json.Marshal(map[string]json.RawMessage{name: value})
	if err != nil {
		return badSyntax
	}
	err = json.Unmarshal(one, request)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return illegalValue.with(fmt.Sprintf("%s: %s is expected, a %s was found", wrong.Field, kindOfGo(wrong),
			wrong.Value))
	}
	if err != nil {
		return illegalValue.with(name + ": " + err.Error())
	}
	return nil
}

// kindOfGo names the JSON type that a member has.
func kindOfGo(wrong *json.UnmarshalTypeError) string {
	switch wrong.Type.Kind().String() {
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	case "slice":
		return "a list"
	case "int":
		return "a whole number"
	default:
		return "an object"
	}
}

// searchPage reads the page of a search.
func (q query) searchPage(request *engine.SearchRequest, limitMax int) error {
	limit := engine.SearchLimitDefault
	var err error
	if limit, err = q.number("limit", limit, limitMax); err != nil {
		return err
	}
	request.Limit = &limit
	if request.Offset, err = q.number("offset", 0, engine.SearchWindow); err != nil {
		return err
	}
	request.Count, err = q.truth("count")
	return err
}

// number reads a whole number from 0 to most.
func (q query) number(name string, absent, most int) (int, error) {
	text := q.text(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, illegalValue.with(fmt.Sprintf("%s: %q is given where 0 to %d is allowed", name, text, most))
	}
	return n, nil
}

// prefersCSV reports whether the header Accept names CSV before JSON.
func prefersCSV(headers []string) bool {
	accept := strings.ToLower(strings.Join(headers, ","))
	at, other := strings.Index(accept, "text/csv"), strings.Index(accept, "application/json")
	return at >= 0 && (other < 0 || at < other)
}

// respondCSV answers with a table.
func (c *call) respondCSV(rows [][]string) error {
	var text strings.Builder
	w := csv.NewWriter(&text)
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("write a CSV: %w", err)
	}
	header := c.w.Header()
	header.Set("Content-Type", "text/csv")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(text.Len()))
	c.w.WriteHeader(http.StatusOK)
	// If the client does not read its answer, there is no one to tell.
	_, _ = c.w.Write([]byte(text.String()))
	return nil
}

// aggregationRows returns the results of aggregations as a table: a column for each bucket aggregation inside the one
// before it, and the number of documents; of a metric its value.
func aggregationRows(results map[string]any) [][]string {
	var names []string
	var rows [][]string
	last := "Count"
	var walk func(node map[string]any, before []string, depth int) bool
	walk = func(node map[string]any, before []string, depth int) bool {
		found := false
		for _, name := range slices.Sorted(maps.Keys(node)) {
			inner, ok := node[name].(map[string]any)
			if !ok {
				continue
			}
			buckets, isBuckets := inner["buckets"].([]any)
			switch {
			case isBuckets:
				if depth == len(names) {
					names = append(names, name)
				}
				for _, element := range buckets {
					bucket, _ := element.(map[string]any)
					row := append(slices.Clone(before), fmt.Sprint(bucket["key"]))
					if !walk(bucket, row, depth+1) {
						rows = append(rows, append(row, fmt.Sprint(bucket["doc_count"])))
					}
					found = true
				}
			case inner["doc_count"] != nil: // a nested list, or a filter
				found = walk(inner, before, depth) || found
			case depth == 0 && hasValue(inner):
				last = name
				rows = append(rows, []string{valueText(inner["value"])})
				found = true
			}
		}
		return found
	}
	walk(results, nil, 0)
	for i, row := range rows { // a bucket without any inside of it
		for len(row) <= len(names) {
			row = slices.Insert(row, len(row)-1, "")
		}
		rows[i] = row
	}
	return append([][]string{append(names, last)}, rows...)
}

func hasValue(object map[string]any) bool {
	_, there := object["value"]
	return there
}

// valueText writes the value of a metric, which is empty where there is none.
func valueText(value any) string {
	switch v := value.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case nil:
		return ""
	default:
		return fmt.Sprint(v)
	}
}
