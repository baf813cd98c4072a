package velocity

// node is a part of a template.
type node interface {
	render(*renderer) error
}

// expression has a value.
type expression interface {
	value(*renderer) (any, error)
}

type (
	// text is literal text.
	text string

	// reference is $name with its accessors.
	reference struct {
		source    string // as written
		name      string
		accessors []accessor
		quiet     bool
	}

	// accessor is .property, .method(arguments) or [index].
	accessor struct {
		name      string
		call      bool
		arguments []expression
		index     expression
	}

	// condition is #if with its branches; a branch without a condition is #else.
	condition struct{ branches []branch }

	branch struct {
		when expression
		body []node
	}

	loop struct {
		name string
		over expression
		body []node
	}

	assignment struct {
		name  string
		value expression
	}

	breakLoop struct{}

	literal struct{ v any }

	// quoted is a text in double quotes, which contains references.
	quoted struct{ body []node }

	list struct{ items []expression }

	table struct{ keys, values []expression }

	span struct{ from, to expression }

	not struct{ x expression }

	negative struct{ x expression }

	binary struct {
		operator    string
		left, right expression
	}
)
