package attribute

// NullText returns the text of the value for a column that is null where the value is.
func (v Value) NullText() *string {
	if v.IsNull() {
		return nil
	}
	text := v.Text()
	return &text
}
