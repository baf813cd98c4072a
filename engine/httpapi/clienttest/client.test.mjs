// The vendor's TypeScript client, unchanged, against a server of the sample company. make test-client runs it; the
// server's address, and a client's ID and secret, are in the environment, as the vendor's client reads them.
import assert from 'node:assert/strict';
import test from 'node:test';
import sdk from 'sailpoint-api-client';

const {
  AccountsApi, AccountsV2024Api, Configuration, IdentitiesBetaApi, IdentitiesV2024Api, IdentityProfilesApi, Paginator,
  RolesApi, SearchApi, SearchV2024Api, SourcesApi, TaskManagementBetaApi, TransformsApi,
} = sdk;

const people = Number(process.env.MUSTER_PEOPLE);
const configuration = new Configuration();
configuration.retriesConfig = {retries: 0};
console.log = () => {}; // the paginator says each page

const all = (query, sort = ['id']) => ({indices: ['identities'], query: {query}, sort});

// statusOf returns the status and the published body of a call that is refused.
async function refused(call) {
  try {
    await call();
  } catch (error) {
    return {status: error.response?.status, body: error.response?.data};
  }
  assert.fail('the call was not refused');
}

test('search finds documents and counts them', async () => {
  const search = new SearchApi(configuration);
  const found = await search.searchPost({search: all('attributes.uid:*', ['name', 'id']), limit: 3, count: true});
  assert.equal(found.data.length, 3);
  assert.equal(found.data[0]._type, 'identity');
  assert.ok(Number(found.headers['x-total-count']) >= people);
  const counted = await search.searchCount({search: all('*')});
  assert.equal(counted.status, 204);
  assert.ok(Number(counted.headers['x-total-count']) >= people);
});

test('the paginator of the search walks over everybody', async () => {
  for (const sort of [['id'], ['-name']]) {
    const walked = await Paginator.paginateSearchApi(new SearchApi(configuration), all('*', sort), 250);
    const ids = new Set(walked.data.map((document) => document.id));
    assert.equal(ids.size, walked.data.length);
    assert.ok(ids.size >= people, `${ids.size} documents`);
  }
});

test('search gives a document, aggregates and completes', async () => {
  const search = new SearchV2024Api(configuration);
  const [someone] = (await search.searchPost({searchV2024: all('*'), limit: 1})).data;
  const document = await search.searchGet({index: 'identities', id: someone.id});
  assert.equal(document.data.id, someone.id);
  assert.ok(Array.isArray(document.data.accounts));
  const aggregated = await search.searchAggregate({searchV2024: {
    indices: ['identities'], aggregationType: 'SAILPOINT',
    aggregations: {bucket: {name: 'Departments', type: 'TERMS', field: 'attributes.department'}},
  }});
  assert.ok(aggregated.data.aggregations.Departments.buckets.length > 1);
  const values = await search.searchPost({searchV2024: {
    indices: ['identities'], queryType: 'TYPEAHEAD',
    typeAheadQuery: {field: 'displayName', query: someone.displayName.slice(0, 2)},
  }});
  assert.equal(typeof values.data[0], 'string');
});

test('a search with a mistake is refused, with its place', async () => {
  const {status, body} = await refused(() => new SearchApi(configuration).searchPost({search: all('name:"ann')}));
  assert.equal(status, 400);
  assert.match(body.messages[0].text, /no closing quote/);
});

test('identities are listed, found and read', async () => {
  const identities = new IdentitiesBetaApi(configuration);
  const page = await identities.listIdentities({filters: 'alias eq "100001"', count: true});
  assert.equal(page.headers['x-total-count'], '1');
  const one = await identities.getIdentity({id: page.data[0].id});
  assert.equal(one.data.alias, '100001');
  const walked = await Paginator.paginate(identities, identities.listIdentities, {limit: people}, 250);
  assert.ok(walked.data.length >= people);
  const later = await new IdentitiesV2024Api(configuration).getIdentity({id: page.data[0].id,
    xSailPointExperimental: 'true'});
  assert.equal(later.data.id, page.data[0].id);
});

test('accounts are listed and read', async () => {
  const accounts = new AccountsApi(configuration);
  const [account] = (await accounts.listAccounts({limit: 1})).data;
  assert.equal((await accounts.getAccount({id: account.id})).data.id, account.id);
  const later = await new AccountsV2024Api(configuration).listAccounts({limit: 2, filters: `id in ("${account.id}")`});
  assert.equal(later.data.length, 1);
});

test('roles and their members are listed', async () => {
  const roles = new RolesApi(configuration);
  const listed = (await roles.listRoles({limit: 50, sorters: 'name'})).data;
  assert.ok(listed.length > 0);
  assert.equal((await roles.getRole({id: listed[0].id})).data.name, listed[0].name);
});

test('sources and identity profiles are listed', async () => {
  const [source] = (await new SourcesApi(configuration).listSources({limit: 1})).data;
  assert.ok(source.name);
  const [profile] = (await new IdentityProfilesApi(configuration).listIdentityProfiles({limit: 1})).data;
  assert.ok(profile.authoritativeSource.id);
});

test('a transform is made, read and removed', async () => {
  const transforms = new TransformsApi(configuration);
  const made = await transforms.createTransform({transform: {name: 'Shout', type: 'upper', attributes: {}}});
  const found = await transforms.listTransforms({filters: 'name eq "Shout"'});
  assert.deepEqual(found.data.map((one) => one.id), [made.data.id]);
  await transforms.deleteTransform({id: made.data.id});
  assert.equal((await refused(() => transforms.getTransform({id: made.data.id}))).status, 404);
});

test('the processing of an identity is a task', async () => {
  const [someone] = (await new SearchApi(configuration).searchPost({search: all('*'), limit: 1})).data;
  const begun = await new IdentitiesBetaApi(configuration).startIdentityProcessing({
    processIdentitiesRequestBeta: {identityIds: [someone.id]}});
  const task = await new TaskManagementBetaApi(configuration).getTaskStatus({id: begun.data.id});
  assert.equal(task.data.id, begun.data.id);
});
