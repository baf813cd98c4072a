package store

// NullText returns the value of a column that is null where a text is empty.
func NullText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// TextOf returns the text of a column that may be null, "" for null.
func TextOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
