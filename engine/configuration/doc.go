// Package configuration has the configuration of a tenant: the shapes of its objects, the documents that a host
// applies, and the compiled form that the engine works with. A host needs the first half; package engine has aliases of
// it, such as engine.Source and engine.Document.
//
//	documents, err := configuration.ReadDocuments("config.yaml", file)
//	result, err := eng.Apply(ctx, documents)
//	for _, object := range result.Objects { fmt.Println(object.Action, object.Type, object.Name) }
//
//	limit, err := configuration.ParseDeletionLimit("5%")   // for an aggregation
//
// It may import engine/fault, engine/refresh, engine/transform, engine/criteria, engine/connector and package store. It
// does no I/O but reading a text from the reader that it is given.
//
// # From a text to what calculates
//
//	text       YAML or JSON, by hand or exported
//	  |        ReadDocuments: the objects, each with its type and place; it knows no other object
//	  v
//	documents  []Document, one object each, in its published shape (Source, IdentityProfile, Role, ...)
//	  |        engine.Engine.Apply: checks each, finds its row by ID or by name, stores it
//	  v
//	rows       store.Configuration, all objects of one version; the document of each as it was given
//	  |        Compile: checks them against each other
//	  v
//	compiled   *Configuration, never changed, and cached until there is a later version
//
// Members of an object that its shape here does not list are stored, but not read. Only the settings refuse them.
//
// # What Compile does, in order
//
//	settings    what all engines follow: the layers of documents and engines, and the defaults
//	decode      identity attributes, transforms, sources, lifecycle states, identity profiles
//	keys        which attributes find identities
//	transforms  every saved transform by itself
//	roles       criteria and lists of members
//	access      access profiles, and what roles and lifecycle states grant: they need sources and entitlements
//	refresh     profiles with their mappings, for engine/refresh; they need transforms
//
// # What is looked up by what
//
// References in documents, and names that a host gives, are IDs or names. A reference that has both names one object by
// both. Names ignore case, with the folding of package store.
//
//	object              in documents                                  by the engine
//	source              ID or name                                    SourceByName, Sources[ID]
//	identity profile    ID or name                                    ProfileByName, ProfileByID
//	lifecycle state     technical name within its profile             StateByName: technical name, then ID or name
//	role                ID or name                                    RoleByName, Roles[ID]
//	access profile      ID or name                                    while compiling only
//	entitlement         ID; attribute and value; a name that is       while compiling only
//	                    unique on the source
//	identity attribute  its name, exactly                             Attributes[name]
//	transform           its name, exactly                             Transform (transform.Library)
//	rule of the host    its name, exactly                             Rule (transform.Library)
//
// # Settings
//
// There is one SETTINGS object. A table (setting.go) has the name of each setting, the field of engine.Config, the
// default, and what is allowed. What documents say counts before what engines set:
//
//	s, err := CompileSettings(row.Document)       // in force: s.Location, s.Guard, s.Mail; s.List() says from where
//	fresh, conflict := s.Compare(given, settled)  // what a Config gives: new, the same, or a contradiction
//	after, document, err := s.Applied(object, at) // and With(fresh): as they would be, and how they are stored
//
// The types Settings, Configuration, CompiledSource, CompiledProfile, CompiledState and CompiledRole, and the functions
// that say so, are for package engine. They may change with any version.
package configuration
