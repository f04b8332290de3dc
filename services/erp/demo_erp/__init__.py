"""The demo ERP: a small ERP with documents, customers and a mind of its own.

It shares nothing with the connector but the server its tables lie on: it is reached through requests as an ERP in
another house would be, each request is a transaction of its own, and it can be told to misbehave.
"""
