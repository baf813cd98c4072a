package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/aggregation"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/engine/internal/doctor"
	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/engine/internal/provisioning"
	"github.com/muster-engine/muster/engine/internal/registration"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store"
)

// The limits that a [Config] can set, and their defaults.
const (
	BatchSizeDefault = 1000
	BatchSizeMax     = 10_000
	ObjectsDefault   = configuration.ObjectsDefault
	WorkersDefault   = 2
	WorkersMax       = 64
)

// Config is how an engine works. The zero Config is ready to use.
//
// Guard, Location, Mail and Objects are settings of the tenant, which all its engines follow: see [Engine.Settings]. A
// zero field stands for the tenant's setting. Any other value must be the tenant's, or becomes it where nobody has set
// it and it has no configuration or no identities yet, or where it has no default; otherwise [New] fails with a
// [SettingsError]. What is applied later counts also for the engines that run: they follow it, and log a warning where
// it contradicts their Config.
type Config struct {
	// Actor is who acts where a context names nobody: see [WithActor]. Defaults to the ID and name "muster", through
	// "engine".
	Actor Actor

	// Allow is what sources may name of this machine and its network: references to secrets, folders of files, and
	// hosts. It is asked for when documents are applied, and again whenever a source is tested, discovered, aggregated
	// or written to. Give all engines of a tenant the same. Nil allows everything in documents that the operator
	// applies, and nothing in those that are applied with [Untrusted]. It must not be changed.
	Allow *Allow

	// OperationsPerDay is how many operations with one target are carried out on one day before another one is parked.
	// It defaults to [OperationsPerDayMax]. It is for tests that change the same again and again.
	OperationsPerDay int
	// BatchSize is how many identities one transaction processes. Defaults to [BatchSizeDefault]; at most
	// [BatchSizeMax].
	BatchSize int

	// Connectors make the connectors of sources, by the name that a source gives as its connector. The operations on a
	// source whose connector is not among them are left to people. All engines of a tenant must have the same. The map
	// must not be changed.
	Connectors map[string]connector.Factory

	// Credentials keep the passwords by which identities sign in to Muster itself. Give all engines of a tenant the
	// same. Defaults to argon2id hashes in the tenant's database.
	Credentials Credentials

	// Guard limits what a run may take away before somebody confirms it. Zero stands for the tenant's setting.
	Guard Guard

	// JobSchema is the PostgreSQL schema of the job queue. Defaults to the name of Schema followed by "_jobs".
	JobSchema string

	// Location is the tenant's time zone, in which scheduled processing runs at 08:00 and 20:00, and dates without a
	// zone are. It must be one of the IANA database, such as Europe/Berlin. Nil stands for the tenant's setting.
	Location *time.Location

	// Logger receives the engine's log. No personal data and no secrets are logged. Defaults to none.
	Logger *slog.Logger

	// Mail is what all messages of the tenant have in common. Its zero fields stand for the tenant's settings.
	Mail Mail

	// Notifier sends invitations and verifications. Without one they wait until an engine has one. If it has a method
	// MailSettings() [Mail], what that returns counts like Mail.
	Notifier Notifier

	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time

	// Observe is told of each batch and job that this engine has carried out: package metrics shows them to Prometheus.
	// It is called by many goroutines at once, and must not wait. Defaults to none.
	Observe func(context.Context, Observation)

	// Objects is how many objects one aggregation reads at most: accounts, groups, and those that are gone. A source
	// that has more is taken to be wrong, and nothing of it is stored. Zero stands for the tenant's setting.
	Objects int

	// PollOnly lets the workers ask for jobs once a second, where else the server tells them of new ones (LISTEN). Set
	// it where the pool leads through a pooler that gives a connection of the server to one transaction after another,
	// such as PgBouncer in transaction mode: there nobody is told. An event then waits for half a second on average.
	// Such a pool also needs DefaultQueryExecMode [pgx.QueryExecModeCacheDescribe], unless its pooler knows prepared
	// statements. All else works the same: the engine keeps nothing in a connection beyond a transaction.
	PollOnly bool

	// Rules are the host's own calculations. Transforms of the type rule name them. The map must not be changed.
	Rules map[string]transform.Rule

	// Secret returns the secret that a reference stands for, for connectors: [secret.Read], or the host's own. Without
	// it no connector gets a secret.
	Secret func(reference string) (string, error)

	// Schema is the PostgreSQL schema of the tenant's data. Defaults to "muster".
	Schema string

	// Workers is how many batches of a large task are processed at the same time, each with a connection of the pool.
	// Defaults to [WorkersDefault]; at most [WorkersMax].
	Workers int
}

// WithDefaults returns c with the defaults filled in, but for the fields that are settings of the tenant.
func (c Config) WithDefaults() Config {
	schemas := migrations.Config{Schema: c.Schema, JobSchema: c.JobSchema}.WithDefaults()
	c.Schema, c.JobSchema = schemas.Schema, schemas.JobSchema
	if c.OperationsPerDay == 0 {
		c.OperationsPerDay = OperationsPerDayMax
	}
	if c.BatchSize == 0 {
		c.BatchSize = BatchSizeDefault
	}
	if c.Workers == 0 {
		c.Workers = WorkersDefault
	}
	if c.Actor == (Actor{}) {
		c.Actor = Actor{ID: "muster", Name: "muster", Via: viaEngine}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	if c.OperationsPerDay < 1 {
		return fmt.Errorf("OperationsPerDay must be at least 1, it is %d", c.OperationsPerDay)
	}
	if c.BatchSize < 1 || c.BatchSize > BatchSizeMax {
		return fmt.Errorf("BatchSize must be between 1 and %d, it is %d", BatchSizeMax, c.BatchSize)
	}
	if c.Workers < 1 || c.Workers > WorkersMax {
		return fmt.Errorf("Workers must be between 1 and %d, it is %d", WorkersMax, c.Workers)
	}
	if c.Allow != nil {
		if err := c.Allow.Validate(); err != nil {
			return fmt.Errorf("Allow.%w", err)
		}
	}
	return migrations.Config{Schema: c.Schema, JobSchema: c.JobSchema}.Validate()
}

// settings returns what the rooms see of c, which is complete. given are the tenant's settings that it gives.
func (c *Config) settings(given configuration.Values) tenant.Settings {
	var observe func(context.Context, tenant.Observation)
	if c.Observe != nil {
		observe = func(ctx context.Context, o tenant.Observation) { c.Observe(ctx, Observation(o)) }
	}
	return tenant.Settings{
		Observe: observe, Actor: tenant.CleanActor(store.Actor(c.Actor)), Allow: c.Allow, BatchSize: c.BatchSize,
		OperationsPerDay: c.OperationsPerDay, Clock: c.Now,
		Connectors: c.Connectors, Given: given, JobSchema: c.JobSchema, Logger: c.Logger, Rules: c.Rules,
		Schema: c.Schema, Secret: c.Secret, Workers: c.Workers,
	}
}

// Engine is an identity engine over one tenant's schema. It is safe for concurrent use, by one process or by many on
// the same database. Make it with [New].
type Engine struct {
	tenant      *tenant.Tenant
	tasks       *task.Ledger
	processor   *processing.Processor
	provisioner *provisioning.Provisioner
	aggregator  *aggregation.Aggregator
	applier     *change.Applier
	registrar   *registration.Registrar
	doctor      *doctor.Doctor
	credentials Credentials
	// jobs works on the jobs of the queue while the engine is started.
	jobs *river.Client[pgx.Tx]
	// presence says that the engine is started, while it is.
	presence presence
	// requeuer gives work whose job is gone another one, while the engine is started.
	requeuer repeater
}

// New returns an engine on pool. The caller keeps the pool: the engine never closes it. New fails when the
// tenant's schema is not at the version that this library works with; the error names the command that helps. It fails
// with a [SettingsError] when config contradicts the tenant's settings.
func New(ctx context.Context, pool *pgxpool.Pool, config Config) (*Engine, error) {
	const op = "start the engine"
	config = config.WithDefaults()
	if err := config.validate(); err != nil {
		return nil, &Error{Kind: Invalid, Op: op, Err: err}
	}
	given, err := config.given()
	if err != nil {
		return nil, &Error{Kind: Invalid, Op: op, Err: err}
	}
	if err := checkTables(ctx, op, pool, config.Schema, config.JobSchema); err != nil {
		return nil, err
	}
	t, err := tenant.New(pool, config.settings(given))
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	e := &Engine{tenant: t, tasks: task.New(t)}
	e.processor = processing.New(e.tasks)
	e.provisioner = provisioning.New(e.processor)
	e.aggregator = aggregation.New(e.processor)
	e.applier = change.New(e.processor)
	e.registrar = registration.New(e.tasks, notifierOf(config.Notifier))
	e.doctor = doctor.New(e.tasks)
	if e.credentials = config.Credentials; e.credentials == nil {
		e.credentials = storedCredentials{t}
	}
	if e.jobs, err = newJobs(e, config.PollOnly); err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	if err := e.adoptSettings(ctx, op, given); err != nil {
		return nil, err
	}
	return e, nil
}

// checkTables reports why an engine cannot work on the tables: they cannot be reached, or are at another version than
// this library.
func checkTables(ctx context.Context, op string, pool *pgxpool.Pool, schema, jobSchema string) error {
	err := migrations.Check(ctx, pool, migrations.Config{Schema: schema, JobSchema: jobSchema})
	if errors.Is(err, migrations.ErrTooOld) || errors.Is(err, migrations.ErrTooNew) {
		return &Error{Kind: Conflict, Op: op, Err: err}
	}
	return fault.Wrap(op, "", store.MapError(err))
}

// Ready reports why the engine cannot work now: the database cannot be reached, or is at another version than this
// library.
func (e *Engine) Ready(ctx context.Context) error {
	return checkTables(ctx, "reach the database", e.tenant.Pool, e.tenant.Schema, e.tenant.JobSchema)
}
