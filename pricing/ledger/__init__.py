"""Double entry: bills, payments and wallets as movements of money between accounts."""
