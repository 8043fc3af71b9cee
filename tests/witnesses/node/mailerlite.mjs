// MailerLite's own client: groups, fields and subscribers. It has no method for the account.
import Client from '@mailerlite/mailerlite-nodejs';
import { ann, said, twin } from './common.mjs';

const MailerLite = Client.default ?? Client;
const mailerlite = new MailerLite({ api_key: 'eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl', base_path: twin });
const nobody = (error) => error.response.status;

const tried = await mailerlite.groups.get({ limit: 1 });
said('test', 'verify-ok.no-account-call', tried.data.data[0].name);

const page = await mailerlite.groups.get({ limit: 100, page: 1, sort: 'name' });
said('groups', 'choices-two-pages', [page.data.data.length, page.data.meta.last_page]);

const fields = await mailerlite.fields.get({ limit: 100, page: 1 });
said('fields', 'choices-fields', fields.data.data.map((field) => field.key));

const made = await mailerlite.groups.create({ name: 'Rekomi affiliate' });
said('create_group', 'prepare-creates', [made.data.data.id, made.data.data.name]);

said('find', 'sync-new', await mailerlite.subscribers.find(encodeURIComponent(ann.email)).catch(nobody));

const groups = ['129543796681606183', '75138557045376452'];
const saved = await mailerlite.subscribers.createOrUpdate({ email: ann.email, fields: { name: ann.first, last_name: ann.last }, groups });
said('save', 'sync-new', [saved.status, saved.data.data.id, saved.data.data.status]);

const assigned = await mailerlite.groups.assignSubscriber('31897397363737859', '75138557045376452');
said('assign', 'sync-opted-out', [assigned.status, assigned.data.data.id]);

const removed = await mailerlite.groups.unAssignSubscriber('31897397363737859', '75138557045376452');
said('remove', 'untag', removed.status);
