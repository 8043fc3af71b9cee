// HubSpot's own client: the contact with its stand-in for tags, and the list.
import { Client } from '@hubspot/api-client';
import { ann, said, twin } from './common.mjs';

const { crm } = new Client({ accessToken: 'pat-na1-00000000-0000-4000-8000-000000000001', basePath: twin });
const properties = ['email', 'firstname', 'lastname', 'hs_email_optout', 'rekomi_tags'];

const search = { objectTypeId: '0-1', processingTypes: ['MANUAL', 'SNAPSHOT'], additionalProperties: [], listIds: [], count: 500, offset: 0 };
const lists = await crm.lists.listsApi.doSearch(search);
said('lists', 'choices-two-pages', lists.lists.map(({ listId }) => listId));

const known = await crm.properties.coreApi.getAll('contacts');
said('properties', 'choices-fields', [known.results[0].name, known.results[0].fieldType]);

const option = (label, displayOrder) => ({ label, value: label, displayOrder, hidden: false });
const property = await crm.properties.coreApi.create('contacts', {
  name: 'rekomi_tags',
  label: 'Rekomi tags',
  groupName: 'contactinformation',
  type: 'enumeration',
  fieldType: 'checkbox',
  description: 'Affiliate programmes and tags of this contact, kept by Rekomi.',
  options: [option('Rekomi affiliate', 0), option('Launch', 1)],
});
said('make_property', 'prepare-creates', [property.name, property.fieldType, property.options.length]);

const byEmail = [undefined, undefined, undefined, 'email'];
const nobody = await crm.contacts.basicApi.getById(ann.email, properties, ...byEmail).catch(({ code }) => code);
said('find', 'sync-new', nobody);

const contact = { email: ann.email, firstname: ann.first, lastname: ann.last, rekomi_tags: 'Rekomi affiliate;Launch' };
const made = await crm.contacts.basicApi.create({ properties: contact, associations: [] });
said('create', 'sync-new', [made.id, made.properties.email, made.properties.rekomi_tags]);

const joined = await crm.lists.membershipsApi.add('77', [made.id]);
said('join', 'sync-new', joined.recordsIdsAdded);

const read = await crm.contacts.basicApi.getById(made.id, properties);
said('read', 'untag', [read.id, read.properties.rekomi_tags]);

const updated = await crm.contacts.basicApi.update(made.id, { properties: { rekomi_tags: 'By hand' } });
said('untag', 'untag', [updated.id, updated.properties.rekomi_tags]);

const lists51 = await crm.lists.membershipsApi.getLists('0-1', made.id);
said('memberships', 'lookup-found', lists51.results.map(({ listId }) => listId));
