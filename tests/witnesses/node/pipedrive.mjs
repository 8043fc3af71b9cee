// Pipedrive's own client, its second version where the connector uses that: the person and its labels.
import { Configuration as First, UsersApi } from 'pipedrive/v1';
import { Configuration, PersonFieldsApi, PersonsApi } from 'pipedrive/v2';
import { ann, said, twin } from './common.mjs';

const apiKey = '0123456789abcdef0123456789abcdef01234567';
const users = new UsersApi(new First({ apiKey, basePath: `${twin}/api/v1` }));
const second = new Configuration({ apiKey, basePath: `${twin}/api/v2` });
const [persons, fields] = [new PersonsApi(second), new PersonFieldsApi(second)];

const me = await users.getCurrentUser();
said('me', 'verify-ok', [me.data.name, me.data.company_domain]);

const all = await fields.getPersonFields({ limit: 500 });
said('fields', 'choices-two-pages', all.data[0].field_code);

const owners = await users.getUsers();
said('users', 'choices-owners', [owners.data[0].id, owners.data[0].name]);

const labels = await fields.getPersonField({ field_code: 'label_ids' });
said('field', 'prepare-creates', labels.data.field_code);

const added = await fields.addPersonFieldOptions({ field_code: 'label_ids', AddDealFieldOptionsRequestInner: [{ label: 'Rekomi affiliate' }] });
said('add_label', 'prepare-creates', added.data);

const nobody = await persons.searchPersons({ term: ann.email, fields: 'email', exact_match: true, limit: 100 });
said('search', 'sync-new', nobody.data.items.length);

const person = { name: `${ann.first} ${ann.last}`, emails: [{ value: ann.email, primary: true, label: 'work' }], label_ids: [7, 9] };
const made = await persons.addPerson({ AddPersonRequest: person });
said('create', 'sync-new', [made.data.id, made.data.name, made.data.label_ids]);

const read = await persons.getPerson({ id: 5 });
said('person', 'untag', [read.data.id, read.data.name]);

const updated = await persons.updatePerson({ id: 5, UpdatePersonRequest: { label_ids: [1, 9] } });
said('untag', 'untag', updated.data.id);
